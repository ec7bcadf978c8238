"""Notifications: the message that tells the workers of a queue to look for work. It may be lost or doubled.

It names no job: which one starts is read from the rows (evalapp/jobs/turns.py) when a worker hears it.
"""

import logging
from functools import partial

from django.db import transaction
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from evalapp.celery import app

logger = logging.getLogger(__name__)

START_NEXT_TASK = "evalapp.jobs.tasks.start_next"
MESSAGE_SECONDS = 3600
"""A message older than this is dropped unread; the reaper has notified again by then."""


def notify_on_commit(queue: str) -> None:
    """Ring after the commit."""
    transaction.on_commit(partial(notify, queue), robust=True)


def notify(queue: str) -> None:
    """Notify now. A broker that is away costs time only: the reaper notifies again."""
    try:
        app.send_task(START_NEXT_TASK, args=[queue], queue=queue, retry=False, expires=MESSAGE_SECONDS)
    except (OSError, KombuError, RedisError) as error:
        logger.warning(
            "The queue %s has work without a message, the broker is not available: %s", queue, error
        )
