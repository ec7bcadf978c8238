"""Heartbeats of the workers and the scheduler.

Kept in the broker: it is news, and nothing depends on it.
"""

import logging
from typing import Any, NamedTuple

import redis
from celery.signals import heartbeat_sent, worker_shutdown
from django.conf import settings

logger = logging.getLogger(__name__)

SCHEDULER = "beat"
SILENT_SECONDS = 20.0
"""A worker is heard every two seconds; after so long a silence something is wrong."""

_KEY = "evalapp:heartbeats"
_FORGET_SECONDS = 24 * 3600


class Heartbeat(NamedTuple):
    """A worker by Celery's name for it, ``queue@machine``, or the scheduler."""

    name: str
    age: float
    """Seconds since it was last heard, by the broker's clock."""

    @property
    def is_silent(self) -> bool:
        return self.age > SILENT_SECONDS

    @property
    def queue(self) -> str:
        return self.name.partition("@")[0]

    @property
    def machine(self) -> str:
        return self.name.partition("@")[2]


def record_heartbeat(name: str) -> None:
    """Note that it goes on; a broker that is away is no matter."""
    try:
        with _broker() as broker:
            broker.hset(_KEY, name, _broker_time(broker))
    except redis.RedisError as error:
        logger.debug("The heartbeat of %s is not noted: %s", name, error)


def forget(name: str) -> None:
    """It ended as it should, so its silence means nothing."""
    try:
        with _broker() as broker:
            broker.hdel(_KEY, name)
    except redis.RedisError as error:
        logger.debug("The end of %s is not noted: %s", name, error)


def heartbeats() -> list[Heartbeat]:
    """All that were heard within a day and did not end as they should, by name. Raises redis.RedisError."""
    with _broker() as broker:
        noted, now = broker.hgetall(_KEY), _broker_time(broker)
    found = (Heartbeat(name.decode(), max(0.0, now - float(at))) for name, at in noted.items())
    return sorted(each for each in found if each.age < _FORGET_SECONDS)


@heartbeat_sent.connect
def _record_worker(sender: Any, **kwargs: Any) -> None:
    record_heartbeat(sender.eventer.hostname)


@worker_shutdown.connect
def _forget_worker(sender: Any, **kwargs: Any) -> None:
    forget(sender.hostname)


def _broker() -> redis.Redis:
    return redis.Redis.from_url(settings.ENVIRONMENT.redis_url, socket_timeout=2, socket_connect_timeout=2)


def _broker_time(broker: redis.Redis) -> float:
    seconds, microseconds = broker.time()
    return float(seconds) + float(microseconds) / 1e6
