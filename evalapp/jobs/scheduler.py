"""The scheduler: notifies for what is periodic, and carries out the duties itself."""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import kombu
from celery.beat import ScheduleEntry, Scheduler
from django.db import close_old_connections

from evalapp.celery import DUTIES
from evalapp.core.storage import write_whole
from evalapp.jobs import heartbeats

logger = logging.getLogger(__name__)


class JobScheduler(Scheduler):
    """Celery's scheduler, in whose own process the duties are done.

    As a message a duty would wait in the queue behind the very jobs whose loss it finds, and be lost with
    the broker. One that fails is logged and done again in its turn. When each was last due is kept in the
    file ``schedule_filename``, for what is due once a night; where it cannot be written the scheduler goes on
    without.
    """

    def __init__(self, *args: Any, schedule_filename: str, **kwargs: Any) -> None:
        self._file = Path(schedule_filename)
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        super().setup_schedule()
        for name, last_run_at in self._last_runs().items():
            if name in self.schedule:
                self.schedule[name].last_run_at = last_run_at

    def sync(self) -> None:
        last_runs = {
            entry.name: entry.last_run_at.isoformat()
            for entry in self.schedule.values()
            if entry.last_run_at is not None
        }
        try:
            write_whole(self._file, json.dumps(last_runs).encode())
        except OSError as error:
            logger.warning(
                "%s cannot be written, and the scheduler continues without it: %s", self._file, error
            )

    def tick(self, *args: Any, **kwargs: Any) -> float:
        self._follow_the_system()
        heartbeats.record_heartbeat(heartbeats.SCHEDULER)
        return float(super().tick(*args, **kwargs))

    def apply_entry(self, entry: ScheduleEntry, producer: kombu.Producer | None = None) -> None:
        if entry.task is None or entry.name not in DUTIES:
            super().apply_entry(entry, producer)
            return
        try:
            self.app.tasks[entry.task]()
        except Exception:  # the edge of the process: the other duties and the next turn go on
            logger.exception("%s failed and is repeated at its next time", entry.name)
        finally:
            close_old_connections()

    def _follow_the_system(self) -> None:
        """Once the system's clock went back, count from now: nothing would be due until it has caught up."""
        for entry in self.schedule.values():
            now = entry.default_now()
            if entry.last_run_at is not None and entry.last_run_at > now:
                entry.last_run_at = now
                self._heap = None

    def _last_runs(self) -> Mapping[str, datetime]:
        try:
            noted = json.loads(self._file.read_text(encoding="utf-8"))
            return {str(name): datetime.fromisoformat(at) for name, at in noted.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
