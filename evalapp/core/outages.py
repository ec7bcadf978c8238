"""Recognises errors of the database and the broker: outage, full disk, deadlock, timeout."""

import psycopg
import psycopg.errors
import redis.exceptions
from django.db import InterfaceError, OperationalError

DATABASE_OUTAGES = (
    OperationalError,
    InterfaceError,
    # Not translated by Django: COPY raises the driver's own errors.
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
AWAY = (*DATABASE_OUTAGES, redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)
"""Temporary errors, after which the same request or attempt may be repeated. Check `is_disk_full` first."""


def is_disk_full(exception: BaseException) -> bool:
    """Whether PostgreSQL's disk is full, which lasts until somebody frees space."""
    full = psycopg.errors.DiskFull
    return isinstance(exception, full) or isinstance(exception.__cause__, full)


def is_deadlock(exception: BaseException) -> bool:
    """Whether the transaction was ended because of a deadlock with another one."""
    deadlock = psycopg.errors.DeadlockDetected
    return isinstance(exception, deadlock) or isinstance(exception.__cause__, deadlock)


def is_statement_timeout(exception: BaseException) -> bool:
    """Whether a statement exceeded the time limit of a request."""
    ended = psycopg.errors.QueryCanceled
    return isinstance(exception, ended) or isinstance(exception.__cause__, ended)


def is_lock_timeout(exception: BaseException) -> bool:
    """Whether waiting for another transaction's lock exceeded the time limit of a request."""
    locked = psycopg.errors.LockNotAvailable
    return isinstance(exception, locked) or isinstance(exception.__cause__, locked)
