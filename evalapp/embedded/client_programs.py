"""PostgreSQL's own programs for copying a database, run to their end."""

import os
import signal
from collections.abc import Mapping
from typing import Any

from psycopg import conninfo, pq

from evalapp.embedded.binaries import postgres_program
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.processes import Child, Program, StopStep

# Whoever still works in the database would else make a restore wait for ever.
_OPTIONS = "-c client_min_messages=warning -c lock_timeout=30s"
_STOP = (StopStep(signal.SIGINT, 5), StopStep(signal.SIGTERM, 5))


def run_client_program(name: str, *arguments: str, database_url: str = "") -> None:
    """Run `pg_dump`, `pg_restore` or `psql`; it ends when this process does, however that ends.

    `database_url` is where it connects to, if it does. Its password goes by the environment: every user of
    the machine may read what a process was called with. Raises ServiceProblem with what the program said.
    """
    connection, variables = _connection(database_url) if database_url else ((), {})
    program = Program(
        name=name,
        command=(postgres_program(name), *connection, *arguments),
        stop=_STOP,
        variables={"PGOPTIONS": _OPTIONS, **variables},
    )
    # In memory: what it says of a full disk must not be lost to the full disk.
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
    """The argument that names the database, and the variables beside it that hold its password."""
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
