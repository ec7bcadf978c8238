"""Recognises errors of the database and the broker: not available, full disk, deadlock, timeout."""

import psycopg
import psycopg.errors
import redis.exceptions
from django.db import InterfaceError, OperationalError

DATABASE_OUTAGES = (
    OperationalError,
    InterfaceError,
    # What Django does not translate: COPY raises the driver's own.
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
AWAY = (*DATABASE_OUTAGES, redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)
"""Nobody's fault and soon over: the same request or attempt may be made again. But ask
`is_disk_full` first.
"""


def is_disk_full(exception: BaseException) -> bool:
    """Whether PostgreSQL has no room left: not soon over, and somebody has to make room."""
    full = psycopg.errors.DiskFull
    return isinstance(exception, full) or isinstance(exception.__cause__, full)


def is_deadlock(exception: BaseException) -> bool:
    """Whether two transactions waited for each other, and this one was ended so that the other goes on."""
    deadlock = psycopg.errors.DeadlockDetected
    return isinstance(exception, deadlock) or isinstance(exception.__cause__, deadlock)


def is_statement_timeout(exception: BaseException) -> bool:
    """Whether the database took longer over a statement than a request may take."""
    ended = psycopg.errors.QueryCanceled
    return isinstance(exception, ended) or isinstance(exception.__cause__, ended)


def is_lock_timeout(exception: BaseException) -> bool:
    """Whether somebody else kept what a request needs locked for longer than a request may wait."""
    locked = psycopg.errors.LockNotAvailable
    return isinstance(exception, locked) or isinstance(exception.__cause__, locked)
