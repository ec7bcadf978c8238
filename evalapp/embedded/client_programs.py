"""PostgreSQL's own programs for copying a database, run to their end."""

import signal
import tempfile

from evalapp.embedded.binaries import postgres_program
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.processes import Child, Program, StopStep

# Whoever still works in the database would else make a restore wait for ever.
_OPTIONS = "-c client_min_messages=warning -c lock_timeout=30s"
_STOP = (StopStep(signal.SIGINT, 5), StopStep(signal.SIGTERM, 5))


def run_client_program(name: str, *arguments: str) -> None:
    """Run `pg_dump`, `pg_restore` or `psql`; it ends when this process does, however that ends.

    Raises ServiceProblem with what the program said.
    """
    program = Program(
        name=name,
        command=(postgres_program(name), *arguments),
        stop=_STOP,
        variables={"PGOPTIONS": _OPTIONS},
    )
    with tempfile.TemporaryFile() as output:
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
