"""Restore of a whole installation: complete or without effect, wherever it is interrupted.

The backup is unpacked into a folder of the home and verified. The database is replaced in one transaction,
which also stores a token there. Only then are the files exchanged, by renames. So one question decides an
interrupted restore: does the database contain the token? If it does, the renames are finished; if not, the
folder is removed. An uninterrupted restore ends with the same question.
"""

import os
import re
import secrets
import shutil
from pathlib import Path

import psycopg

from evalapp.embedded.archive import unpack_backup
from evalapp.embedded.client_programs import run_client_program
from evalapp.embedded.folders import make_private_folder
from evalapp.embedded.manifest import (
    DATABASE_MEMBER,
    HOME_PREFIX,
    KEPT,
    SECRET_KEY,
    Manifest,
    UnusableBackupError,
    is_kept,
)
from evalapp.embedded.ownership import wait_until
from evalapp.embedded.problems import ServiceProblem, what_failed
from evalapp.env import REPOSITORY, Environment
from run_directory.files import sync_folder, write_whole

FINISHED = "A restore that was cut off is now finished: database and files are those of the backup."
UNDONE = "A restore that was cut off is undone: database and files are what they were before it."

_UNDER_WAY, _DONE = ".restore", ".restore-done"
# Inside the folder: the unpacked backup, then its files ready to be moved, and the files that they replace.
_UNPACKED, _COMING, _ASIDE, _TOKEN = "unpacked", "coming", "aside", "token"
_OTHER_CONNECTIONS_SECONDS = 3
# pg_restore writes each on its own line, before the first table's rows.
_SETTING, _FIRST_ROWS = re.compile(rb"SET (\w+) = .*;$"), b"-- Data for Name: "
# The minor releases of November 2026 write this for each column, and earlier versions of pg_dump copy it.
_NOTE = re.compile(rb"ALTER TABLE ONLY .+ ALTER COLUMN .+ SET \(pg_attver=\d+\);$")
_LOCK = 7_306_512_094  # any number that nothing else in the database locks


def restore(environment: Environment, source: Path) -> Manifest:
    """Replace the database and the files by those of a backup. The servers must run and the product must not.

    Raises ServiceProblem with nothing changed; if it says that the restore is not finished, `settle` finishes
    or undoes it.
    """
    settle(environment)
    if is_kept(environment.home, source):
        raise ServiceProblem(
            f"{source} is in a folder that is about to be replaced: move it out of {environment.home}."
        )
    _check_places(environment)
    _check_nobody_is_connected(environment)
    try:
        try:
            manifest, script = _prepare(environment, source)
            _replace_database(environment, script)
        finally:
            settle(environment)
    except UnusableBackupError as error:
        raise ServiceProblem(f"{source} cannot be restored: {error} Nothing was changed.") from error
    except OSError as error:
        raise ServiceProblem(
            f"{source} could not be unpacked in {environment.home} ({what_failed(error)}):"
            " fix that and restore again. Nothing was changed."
        ) from error
    return manifest


def settle(environment: Environment) -> str:
    """Finish or undo an interrupted restore; returns a sentence that says which, or "".

    The servers must run, and no other command of the home may use them. Raises ServiceProblem if neither is
    possible yet; it can then be called again.
    """
    home = environment.home
    shutil.rmtree(home / _DONE, ignore_errors=True)
    if not is_under_way(environment):
        return ""
    folder = home / _UNDER_WAY
    is_committed = _database_holds(environment, folder / _TOKEN)
    try:
        if is_committed:
            _swap_files(environment, folder)
        # One rename ends the restore; the slow removal may be interrupted.
        folder.rename(home / _DONE)
        sync_folder(home)
    except OSError as error:
        raise ServiceProblem(
            f"A restore of {home} is not finished ({what_failed(error)}). Nothing is lost: fix that, then"
            " `manage.py up` or another `manage.py restore` continues it."
        ) from error
    shutil.rmtree(home / _DONE, ignore_errors=True)
    return FINISHED if is_committed else UNDONE


def is_under_way(environment: Environment) -> bool:
    """Whether a restore of this home is running, or was interrupted and not yet settled."""
    return (environment.home / _UNDER_WAY).exists()


def is_empty(environment: Environment) -> bool:
    """Whether a restore would overwrite nothing: no tables and no files."""
    with psycopg.connect(environment.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    # Reading the settings creates the secret key, so a home with only the key is empty.
    files = [name for name in KEPT if name != SECRET_KEY and (environment.home / name).exists()]
    return row == (0,) and not any(_holds_files(environment.home / name) for name in files)


def _prepare(environment: Environment, source: Path) -> tuple[Manifest, Path]:
    """Unpack and verify the backup, convert its database to a script and sync all of it to disk."""
    make_private_folder(environment.home)
    folder = environment.home / _UNDER_WAY
    unpacked = folder / _UNPACKED
    unpacked.mkdir(parents=True)
    folder.chmod(0o700)
    manifest = unpack_backup(source, unpacked)
    _check_release(manifest)
    if not _keeps_its_key(environment):
        (unpacked / HOME_PREFIX / SECRET_KEY).unlink()
    script = folder / "database.sql"
    try:
        run_client_program("pg_restore", "--no-owner", f"--file={script}", str(unpacked / DATABASE_MEMBER))
    except ServiceProblem as problem:
        raise UnusableBackupError(f"its database cannot be read. {problem}") from problem
    # One call syncs every file and folder: they must be durable before their renames are.
    os.sync()
    write_whole(folder / _TOKEN, secrets.token_hex().encode())
    sync_folder(environment.home)
    return manifest, script


def _replace_database(environment: Environment, script: Path) -> None:
    _leave_out_what_others_wrote(environment, script)
    token = (script.parent / _TOKEN).read_text(encoding="ascii")
    begin = f"SELECT pg_advisory_xact_lock({_LOCK}); DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
    end = f"COMMENT ON SCHEMA public IS 'evalapp restore {token}';"
    try:
        run_client_program(
            "psql",
            *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"),
            *(f"--command={begin}", f"--file={script}", f"--command={end}"),
            database_url=environment.database_url,
        )
    except ServiceProblem as problem:
        raise ServiceProblem(
            f"The database refused the backup, and is as it was before, as are the files. {problem}"
        ) from problem


def _leave_out_what_others_wrote(environment: Environment, script: Path) -> None:
    """Comment out lines that the server does not know: settings of a later PostgreSQL and attribute notes."""
    with psycopg.connect(environment.database_url, connect_timeout=5) as connection:
        known = {str(name) for (name,) in connection.execute("SELECT name FROM pg_settings")}
    # Overwritten in place with the same length, because the rows that follow may be many gigabytes.
    with script.open("r+b") as file:
        while not (line := file.readline()).startswith(_FIRST_ROWS) and line:
            setting = _SETTING.match(line)
            if _NOTE.match(line) or (setting and setting[1].decode() not in known):
                file.seek(-len(line), os.SEEK_CUR)
                file.write(b"--" + line[2:])


def _database_holds(environment: Environment, token: Path) -> bool:
    """Whether the transaction that stores the token was committed; waits for a running one to end."""
    if not token.exists():
        return False
    try:
        with psycopg.connect(environment.database_url, connect_timeout=5) as connection:
            connection.execute("SET LOCAL lock_timeout = '60s'")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            row = connection.execute(
                "SELECT obj_description(to_regnamespace('public')::oid, 'pg_namespace')"
            ).fetchone()
    except psycopg.OperationalError as error:
        raise ServiceProblem(
            f"A restore of {environment.home} was cut off, and the database, which alone knows how far it"
            " came, does not answer. Nothing is lost: start the database, then `manage.py up` or another"
            " `manage.py restore` finishes or undoes it."
        ) from error
    return row == (f"evalapp restore {token.read_text(encoding='ascii')}",)


def _swap_files(environment: Environment, folder: Path) -> None:
    """Move the backup's files in place of the present ones; continues an interrupted call."""
    home, coming, aside = environment.home, folder / _COMING, folder / _ASIDE
    if not coming.exists():
        aside.mkdir(exist_ok=True)
        for name in _places(environment):
            if (home / name).exists():
                (home / name).rename(aside / name)
        # After this rename, files in the home are the backup's.
        (folder / _UNPACKED / HOME_PREFIX).rename(coming)
    for path in sorted(coming.iterdir()):
        path.rename(home / path.name)


def _places(environment: Environment) -> list[str]:
    return [name for name in KEPT if name != SECRET_KEY or _keeps_its_key(environment)]


def _keeps_its_key(environment: Environment) -> bool:
    """False if EVALAPP_SECRET_KEY_FILE puts the key elsewhere: a restore must not replace it there."""
    return environment.secret_key_file == environment.home / SECRET_KEY


def _check_places(environment: Environment) -> None:
    """Raise ServiceProblem, before anything is changed, for files that a rename cannot replace."""
    for path in (environment.home / name for name in _places(environment)):
        if path.is_symlink() or path.is_mount():
            raise ServiceProblem(
                f"{path} is a {'link' if path.is_symlink() else 'mount point'}, which a restore cannot"
                " replace whole: remove it, restore, then move the restored folder to where it should be."
            )


def _check_nobody_is_connected(environment: Environment) -> None:
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND usename = current_user AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    with psycopg.connect(environment.database_url, autocommit=True) as connection:
        # A connection that was just closed stays listed for a moment.
        wait_until(
            lambda: connection.execute(others).fetchone() == (0,),
            _OTHER_CONNECTIONS_SECONDS,
            "Other programs are connected to the database: stop evalapp and its workers, on every machine,"
            " then restore again. Nothing was changed.",
        )


def _check_release(manifest: Manifest) -> None:
    folder = REPOSITORY / "evalapp" / "migrations"
    if manifest.migration and not (folder / f"{manifest.migration}.py").exists():
        raise UnusableBackupError(
            f"it has the migration {manifest.migration}, which this release does not have: a newer release"
            " or a development version from before the first release made it. Restore it with that version."
        )


def _holds_files(path: Path) -> bool:
    return path.is_file() or any(entry.is_file() for entry in path.rglob("*"))
