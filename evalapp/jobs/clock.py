"""The clock: rings for what is periodic, and carries out the duties itself."""

import logging

import kombu
from celery.beat import PersistentScheduler, ScheduleEntry
from django.db import close_old_connections

from evalapp.celery import DUTIES

logger = logging.getLogger(__name__)


class Clock(PersistentScheduler):
    """Celery's scheduler, in whose own process the duties are done.

    As a message a duty would wait in the queue behind the very jobs whose loss it finds, and be lost with
    the broker. One that fails is logged and done again in its turn.
    """

    def apply_entry(self, entry: ScheduleEntry, producer: kombu.Producer | None = None) -> None:
        if entry.task is None or entry.name not in DUTIES:
            super().apply_entry(entry, producer)
            return
        try:
            self.app.tasks[entry.task]()
        except Exception:  # the edge of the process: the other duties and the next turn go on
            logger.exception("%s failed and is done again in its turn", entry.name)
        finally:
            close_old_connections()
