"""Preparation for the web server: migrations and static files."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from evalapp.embedded.problems import ServiceProblem

FIRST_MIGRATION = "0001_schema"
_STAMP = ".collected"


def migrate() -> bool:
    """Migrate the schema to this release; returns whether anything was applied.

    Raises ServiceProblem if a newer release wrote the database, since going back would lose data, or a
    development version from before the first release, which cannot be upgraded.
    """
    with briefly_connected() as connection:
        executor = MigrationExecutor(connection)
        if foreign := _foreign(executor):
            raise ServiceProblem(_refused(executor, foreign[-1]))
        if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return False
        call_command("migrate", interactive=False, verbosity=0)
        return True


@contextmanager
def briefly_connected() -> Iterator[BaseDatabaseWrapper]:
    """The default connection, closed afterwards: the supervisor runs for weeks and must not hold
    connections.
    """
    connection = connections["default"]
    try:
        yield connection
    finally:
        connections.close_all()
        connection.close_pool()  # type: ignore[attr-defined] # the stubs do not know pools yet


def is_current() -> bool:
    """Whether the database has the schema of this release."""
    executor = MigrationExecutor(connections["default"])
    return not _foreign(executor) and not executor.migration_plan(executor.loader.graph.leaf_nodes())


def collect_static_files() -> bool:
    """Collect, hash and compress the static files if they changed; returns whether they did."""
    target = Path(settings.STATIC_ROOT)
    digest = _static_digest()
    stamp = target / _STAMP
    if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
        return False
    for _, folder in (entry for entry in map(_as_pair, settings.STATICFILES_DIRS)):
        Path(folder).mkdir(parents=True, exist_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(digest, encoding="ascii")
    return True


def _static_digest() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _as_pair(entry: object) -> tuple[str, str]:
    return (str(entry[0]), str(entry[1])) if isinstance(entry, (tuple, list)) else ("", str(entry))


def _foreign(executor: MigrationExecutor) -> list[str]:
    """Applied migrations that this release does not know, in order of name."""
    known = executor.loader.disk_migrations
    applied = executor.loader.applied_migrations
    return sorted(name for app, name in applied if app == "evalapp" and (app, name) not in known)


def _refused(executor: MigrationExecutor, name: str) -> str:
    if ("evalapp", FIRST_MIGRATION) in executor.loader.applied_migrations:
        return (
            f"The database was written by a newer release (it has the migration {name}):"
            " start that release, or restore a backup that this one made."
        )
    return (
        "The database was written by a development version from before the first release (it has the"
        f" migration {name}), and this version cannot upgrade it. Start that version to export what you need,"
        " then start this one with an empty EVALAPP_HOME or an empty database."
    )
