"""Backup and restore of a whole installation: the database and the files beside it."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg

from evalapp.embedded.archive import (
    DATABASE_MEMBER,
    HOME_PREFIX,
    Manifest,
    UnusableBackupError,
    unpack_backup,
    write_backup,
)
from evalapp.embedded.binaries import postgres_program
from evalapp.embedded.folders import make_private_folder
from evalapp.embedded.problems import ServiceProblem
from evalapp.env import REPOSITORY, Environment

# Everything of the home that cannot be made again. The small model, logs and collected static
# files can; so can the databases' own folders, from the dump.
KEPT = ("files", "artifacts", "runs", "secret-key", "demo-logins.txt")


def back_up(environment: Environment, target: Path) -> Manifest:
    """Write `target`; the product may run meanwhile. Raises ServiceProblem, leaving no file.

    The dump comes first: files are written before the rows that name them, so every file that a
    dumped row names is there when the files are read.
    """
    if not target.parent.is_dir():
        raise ServiceProblem(f"{target.parent} is no folder: make it first, or choose another place.")
    migration = newest_migration(environment)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as folder:
            dump = Path(folder) / DATABASE_MEMBER
            _run("pg_dump", "--format=custom", "--no-owner", f"--file={dump}", environment.database_url)
            return write_backup(target, dump=dump, home=environment.home, folders=KEPT, migration=migration)
    except OSError as error:
        raise ServiceProblem(f"The backup could not be written: {error}.") from error


def restore(environment: Environment, source: Path) -> Manifest:
    """Make the database and the files what they were; the servers run, the product does not.

    Everything is unpacked and checked before anything is touched. The old files are set aside,
    the database is replaced in one transaction, and where that fails the old files come back.
    Raises ServiceProblem.
    """
    make_private_folder(environment.home)
    try:
        with tempfile.TemporaryDirectory(dir=environment.home, prefix=".restore-") as folder:
            return _restore_by_way_of(Path(folder), environment, source)
    except UnusableBackupError as error:
        raise ServiceProblem(str(error)) from error
    except OSError as error:
        raise ServiceProblem(f"The backup could not be restored: {error}.") from error


def _restore_by_way_of(folder: Path, environment: Environment, source: Path) -> Manifest:
    staged, aside = folder / "new", folder / "old"
    aside.mkdir()
    staged.mkdir()
    manifest = unpack_backup(source, staged)
    _check_release(manifest, source)
    script = staged / "database.sql"
    _run("pg_restore", "--no-owner", f"--file={script}", str(staged / DATABASE_MEMBER))
    moved = _set_aside(environment.home, aside)
    try:
        _move_all(staged / HOME_PREFIX, environment.home)
        _replace_database(environment, script)
    except BaseException:
        _remove_kept(environment.home, folder / "failed")
        for name in moved:
            (aside / name).rename(environment.home / name)
        raise
    return manifest


def is_empty(environment: Environment) -> bool:
    """Whether there is nothing a restore would overwrite: no tables, no files."""
    with psycopg.connect(environment.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    # The secret key is made by the first look at the settings, so it alone is nothing to lose.
    files = [name for name in KEPT if name != "secret-key" and (environment.home / name).exists()]
    return row == (0,) and not any(_holds_files(environment.home / name) for name in files)


def newest_migration(environment: Environment) -> str:
    """The product's last applied migration; empty where the schema was never made."""
    try:
        with psycopg.connect(environment.database_url, connect_timeout=5) as connection:
            row = connection.execute(
                "SELECT max(name) FROM django_migrations WHERE app = 'evalapp'"
            ).fetchone()
    except psycopg.errors.UndefinedTable:
        return ""
    except psycopg.OperationalError as error:
        raise ServiceProblem(f"The database does not answer: {error}") from error
    return str(row[0]) if row and row[0] else ""


def _check_release(manifest: Manifest, source: Path) -> None:
    folder = REPOSITORY / "evalapp" / "migrations"
    if manifest.migration and not (folder / f"{manifest.migration}.py").exists():
        raise ServiceProblem(
            f"{source} was made by a newer release (it holds the migration {manifest.migration}):"
            " restore it with that release."
        )


def _replace_database(environment: Environment, script: Path) -> None:
    begin = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
    _run(
        "psql",
        *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"),
        *(f"--command={begin}", f"--file={script}", environment.database_url),
    )


def _set_aside(home: Path, aside: Path) -> list[str]:
    moved = [name for name in KEPT if (home / name).exists()]
    for name in moved:
        (home / name).rename(aside / name)
    return moved


def _move_all(source: Path, home: Path) -> None:
    for entry in sorted(source.iterdir()) if source.exists() else []:
        if entry.name in KEPT:
            entry.rename(home / entry.name)


def _remove_kept(home: Path, out_of_the_way: Path) -> None:
    out_of_the_way.mkdir()
    _set_aside(home, out_of_the_way)


def _holds_files(path: Path) -> bool:
    return path.is_file() or any(entry.is_file() for entry in path.rglob("*"))


def _run(program: str, *arguments: str) -> None:
    """One of PostgreSQL's own programs; raises ServiceProblem with what it said."""
    words: Sequence[str] = [str(postgres_program(program)), *arguments]
    quiet = {**os.environ, "PGOPTIONS": "-c client_min_messages=warning"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=quiet)
    if done.returncode:
        raise ServiceProblem(f"{program} failed: {done.stderr.strip() or done.returncode}")
