"""Backup of a whole installation: the database and the home's files."""

import os
import tempfile
from pathlib import Path

import psycopg

from evalapp.embedded.archive import write_backup
from evalapp.embedded.client_programs import run_client_program
from evalapp.embedded.manifest import DATABASE_MEMBER, Manifest, is_kept
from evalapp.embedded.problems import ServiceProblem, what_failed
from evalapp.embedded.your_database import reason_of
from evalapp.env import Environment


def check_target(environment: Environment, target: Path, *, replace: bool) -> None:
    """Raise ServiceProblem unless `target` is a new file, or a regular file that may be replaced."""
    folder = target.parent
    if not folder.is_dir():
        raise ServiceProblem(f"{folder} is not a folder: create it first, or choose another place.")
    # A link is refused: replacing it would leave the file that it points to unchanged.
    if os.path.lexists(target) and (target.is_symlink() or not target.is_file()):
        raise ServiceProblem(f"{target} is not a regular file, so it was not replaced: choose another name.")
    if target.exists() and not replace:
        raise ServiceProblem(f"{target} exists already: choose another name, or add --force.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ServiceProblem(f"{folder} cannot be written by this user: choose another place.")
    if is_kept(environment.home, target):
        raise ServiceProblem(
            f"{folder} is itself part of what is backed up: choose a place outside {environment.home}."
        )


def back_up(environment: Environment, target: Path) -> Manifest:
    """Write a backup to `target`, also while the product runs. Raises ServiceProblem and then leaves no file.

    The dump comes first: files are written before the rows that name them, so every file that a dumped row
    names exists when the files are read.
    """
    environment.secret_key()  # raises for an unusable key, which would make the backup worthless
    migration = newest_migration(environment)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as folder:
            dump = Path(folder) / DATABASE_MEMBER
            run_client_program(
                "pg_dump",
                *("--format=custom", "--no-owner", f"--file={dump}"),
                database_url=environment.database_url,
            )
            return write_backup(
                target,
                dump=dump,
                home=environment.home,
                secret_key=environment.secret_key_file,
                migration=migration,
            )
    except OSError as error:
        raise ServiceProblem(
            f"The backup could not be written to {target.parent} ({what_failed(error)}):"
            " fix that or choose another place. No backup was made."
        ) from error


def newest_migration(environment: Environment) -> str:
    """The product's last applied migration; empty if the database has no schema."""
    try:
        with psycopg.connect(environment.database_url, connect_timeout=5) as connection:
            row = connection.execute(
                "SELECT max(name) FROM django_migrations WHERE app = 'evalapp'"
            ).fetchone()
    except psycopg.errors.UndefinedTable:
        return ""
    except psycopg.OperationalError as error:
        raise ServiceProblem(
            f"The database does not answer ({reason_of(error)}): start it or correct DATABASE_URL."
        ) from error
    return str(row[0]) if row and row[0] else ""
