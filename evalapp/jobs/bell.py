"""Ringing the bell: the message that tells a worker that a row waits. It may be lost or doubled."""

import logging
from functools import partial
from typing import NamedTuple

from django.db import transaction
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from evalapp.celery import app

logger = logging.getLogger(__name__)

MESSAGE_SECONDS = 3600
"""A message older than this is dropped unread; the reaper has rung again by then."""


class Bell(NamedTuple):
    """What a message holds: which task, for which job, on which queue."""

    task: str
    job_id: int
    queue: str


def ring_on_commit(bell: Bell) -> None:
    """Publish after the commit. A broker that is away costs time only: the reaper rings again."""
    transaction.on_commit(partial(_ring, bell), robust=True)


def _ring(bell: Bell) -> None:
    try:
        app.send_task(bell.task, args=[bell.job_id], queue=bell.queue, retry=False, expires=MESSAGE_SECONDS)
    except (OSError, KombuError, RedisError) as error:
        logger.warning("Job %s waits without a message, the broker is away: %s", bell.job_id, error)
