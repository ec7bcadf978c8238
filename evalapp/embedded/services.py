"""The embedded servers during one command."""

import contextlib
import math
import shlex
import sys
from collections.abc import Iterator

import psycopg
import redis

from evalapp.embedded import restores
from evalapp.embedded.database_versions import check_database_version
from evalapp.embedded.ownership import Ownership, wait_until
from evalapp.embedded.postgres import PostgresServer
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.valkey import ValkeyServer
from evalapp.embedded.your_database import reason_of
from evalapp.env import Environment, environment

_OTHER_START_SECONDS = 60
_OTHER_USERS_SECONDS = 3.0


@contextlib.contextmanager
def ensure_running(wanted: Environment | None = None) -> Iterator[None]:
    """PostgreSQL and Valkey answer inside this block, whichever process started them.

    Servers that `manage.py up` or another command runs are used. Otherwise they are started here, and stopped
    at the end, after all other commands that began to use them. External servers (DATABASE_URL, REDIS_URL)
    are left alone. An interrupted restore is settled first. Raises ServiceProblem.
    """
    wanted = wanted or environment()
    if not (wanted.embedded_postgres or wanted.embedded_valkey):
        if restores.is_under_way(wanted):
            raise ServiceProblem(
                f"A restore of {wanted.home} is running or was interrupted: let it finish, or run"
                " `manage.py up`"
                " or `manage.py restore FILE --force`, which finish or undo it."
            )
        yield
        return
    ownership = Ownership(wanted)
    with contextlib.ExitStack() as newcomers_held_back, contextlib.ExitStack() as counted_as_user:
        counted_as_user.enter_context(ownership.as_user())
        if not _own_or_wait(ownership, wanted):
            yield
            return
        try:
            with start_servers(wanted):
                _settle_restore(wanted)
                try:
                    yield
                finally:
                    counted_as_user.close()
                    newcomers_held_back.enter_context(ownership.without_users(math.inf))
        finally:
            ownership.release()


@contextlib.contextmanager
def ensure_running_alone(wanted: Environment) -> Iterator[None]:
    """Like `ensure_running`, while no other command of this home uses the servers.

    An interrupted restore is settled first. Raises ServiceProblem if another command uses the servers.
    """
    ownership = Ownership(wanted)
    if not ownership.try_to_own(shlex.join(sys.argv[:2])):
        owner = ownership.current_owner()
        named = f"`{owner.command}` (process {owner.pid})" if owner else "Another command"
        raise ServiceProblem(f"{named} uses the database: stop it first.")
    try:
        with ownership.without_users(_OTHER_USERS_SECONDS) as alone:
            if not alone:
                raise ServiceProblem(
                    f"Another command uses the servers of {wanted.home}: let it finish first."
                )
            with start_servers(wanted):
                if reason := why_database_is_silent(wanted):
                    raise ServiceProblem(silent_database(reason))
                check_database_version(wanted)
                _settle_restore(wanted)
                yield
    finally:
        ownership.release()


@contextlib.contextmanager
def start_servers(wanted: Environment) -> Iterator[None]:
    """Start the embedded servers; stop them at the end, the database last."""
    with contextlib.ExitStack() as stack:
        if wanted.embedded_postgres:
            postgres = PostgresServer(wanted)
            postgres.start()
            stack.callback(postgres.stop)
        if wanted.embedded_valkey:
            valkey = ValkeyServer(wanted)
            valkey.start()
            stack.callback(valkey.stop)
        yield


def silent_database(reason: str) -> str:
    """The message for a database in DATABASE_URL that does not answer."""
    return f"The database in DATABASE_URL does not answer ({reason}): start it or correct the URL."


def database_answers(wanted: Environment) -> bool:
    return not why_database_is_silent(wanted)


def why_database_is_silent(wanted: Environment) -> str:
    """The driver's reason; empty if the database answers."""
    try:
        with psycopg.connect(wanted.database_url, connect_timeout=2) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError as error:
        return reason_of(error)
    return ""


def broker_answers(wanted: Environment) -> bool:
    return not why_broker_is_silent(wanted)


def why_broker_is_silent(wanted: Environment) -> str:
    """The client's reason; empty if the broker answers."""
    client = redis.Redis.from_url(wanted.redis_url, socket_timeout=2, socket_connect_timeout=2)
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        return reason_of(error)
    finally:
        client.close()
    return ""


def _settle_restore(wanted: Environment) -> None:
    if outcome := restores.settle(wanted):
        print(outcome, file=sys.stderr)


def _own_or_wait(ownership: Ownership, wanted: Environment) -> bool:
    """Whether this process owns the servers and must start them; otherwise returns once they answer."""
    if ownership.try_to_own(shlex.join(sys.argv[:2])):
        return True
    owner = ownership.current_owner()
    named = f"`{owner.command}` (process {owner.pid})" if owner else "another command"
    wait_until(
        lambda: (
            (not wanted.embedded_postgres or database_answers(wanted))
            and (not wanted.embedded_valkey or broker_answers(wanted))
        ),
        _OTHER_START_SECONDS,
        f"The embedded servers of {wanted.home} belong to {named} but do not answer:"
        " see its log folder, or stop it and try again.",
    )
    return False
