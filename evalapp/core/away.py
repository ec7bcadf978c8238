"""When the database or the broker is away: what raises, and what it means."""

import psycopg
import redis.exceptions
from django.db import InterfaceError, OperationalError

DATABASE_AWAY = (
    OperationalError,
    InterfaceError,
    # What Django does not translate: COPY raises the driver's own.
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
AWAY = (*DATABASE_AWAY, redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)
"""Nobody's fault and soon over: the same request or attempt may be made again."""
