"""PostgreSQL's client programs that copy a database: run to completion."""

import os
import signal
from collections.abc import Mapping
from typing import Any

from psycopg import conninfo, pq

from evalapp.embedded.binaries import postgres_program
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.processes import Child, Program, StopStep

# Without a lock timeout, a restore would wait for ever for other sessions of the database.
_OPTIONS = "-c client_min_messages=warning -c lock_timeout=30s"
_STOP = (StopStep(signal.SIGINT, 5), StopStep(signal.SIGTERM, 5))


def run_client_program(name: str, *arguments: str, database_url: str = "") -> None:
    """Run `pg_dump`, `pg_restore` or `psql`; it never outlives this process.

    `database_url`: the database to connect to, if any. Its password is passed in the environment, because
    every user of the machine can read a process's arguments. Raises ServiceProblem with the program's output.
    """
    connection, variables = _connection(database_url) if database_url else ((), {})
    program = Program(
        name=name,
        command=(postgres_program(name), *connection, *arguments),
        stop=_STOP,
        variables={"PGOPTIONS": _OPTIONS, **variables},
    )
    # In memory, so that an error message about a full disk is not lost to that disk.
    with os.fdopen(os.memfd_create(name), "w+b") as output:
        child = Child(program, output)
        try:
            status = child.process.wait()
        except BaseException:
            child.stop()
            raise
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if status:
        raise ServiceProblem(f"{name} says: {said or f'exit code {status}'}")


def _connection(database_url: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The argument that names the database, and the environment variable with its password."""
    parameters: dict[str, Any] = conninfo.conninfo_to_dict(database_url)
    password = parameters.pop("password", None)
    secret = {option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.dispchar == b"*"}
    if visible := sorted(secret & parameters.keys()):
        raise ServiceProblem(
            f"DATABASE_URL has {' and '.join(visible)}, which PostgreSQL's programs take only where every"
            " user of this machine could read it: use a key without a password, or a service file"
            " (?service=NAME)."
        )
    variables = {} if password is None else {"PGPASSWORD": str(password)}
    return (f"--dbname={conninfo.make_conninfo(**parameters)}",), variables
