"""The claim of a job by one worker, and the thread that keeps it."""

import logging
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce, Now

from evalapp.core.outages import DATABASE_OUTAGES
from evalapp.jobs.models import ACTIVE_STATES, Job, JobEvent, JobState

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0


class LeaseLost(Exception):
    """Another attempt has taken the job over: stop, and write nothing more."""


def lease_end() -> Any:
    """When a lease taken now expires, by the database's clock."""
    return Now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)


def worker_name() -> str:
    """The process as it is shown on a job's page: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"[:120]


@transaction.atomic
def claim(job_id: int, *, task: str) -> Job | None:
    """Take a queued job as a new attempt; None when it is not there, not queued, or another task's."""
    queued = Job.objects.filter(pk=job_id, task=task, state=JobState.QUEUED)
    taken = queued.update(
        state=JobState.STARTING,
        attempt=F("attempt") + 1,
        worker=worker_name(),
        lease_expires_at=lease_end(),
        started_at=Coalesce(F("started_at"), Now()),
        claimed_at=Now(),
        keeps_turn=False,
        device="",
        # A process of another machine means nothing here: its number may be somebody else's.
        process_id=Case(When(worker__startswith=f"{socket.gethostname()}:", then=F("process_id"))),
        error="",
    )
    # Read in the same transaction: the row is locked, so this is our attempt's number.
    return Job.objects.select_related("project", "created_by").get(pk=job_id) if taken else None


@dataclass
class Report:
    """What the work has said and the database does not know yet."""

    progress: dict[str, Any] = field(default_factory=dict)
    events: list[JobEvent] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.progress and not self.events


class LeaseKeeper(threading.Thread):
    """Extends the lease, writes progress and log, and learns of a cancel, on a connection of its own.

    The work may sit in a long transaction or in the middle of a COPY, where its own connection can say
    nothing. ``cancelled``, ``paused`` and ``lost`` are set once and read by the work.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(name=f"lease of job {job.pk}", daemon=True)
        self.job = job
        self.cancelled = threading.Event()
        self.paused = threading.Event()
        self.lost = threading.Event()
        self._stop_asked = threading.Event()
        self._lock = threading.Lock()
        self._report = Report()
        self._last_beat = time.monotonic()

    def say(self, *, progress: dict[str, Any] | None = None, event: JobEvent | None = None) -> None:
        """Hand over progress fields or a log line; they are written within a second or so."""
        with self._lock:
            self._report.progress.update(progress or {})
            if event is not None:
                self._report.events.append(event)

    def take(self) -> Report:
        """All that is not written yet; it is the caller's to write from now on."""
        with self._lock:
            report, self._report = self._report, Report()
        return report

    def stop(self) -> None:
        """End the thread and wait for its last write."""
        self._stop_asked.set()
        self.join()

    def run(self) -> None:
        try:
            while not self._stop_asked.wait(TICK_SECONDS) and not self.lost.is_set():
                self._tick()
        finally:
            connection.close()

    def _tick(self) -> None:
        report = self.take()
        try:
            if not report.is_empty or time.monotonic() - self._last_beat >= settings.JOB_HEARTBEAT_SECONDS:
                self._write_and_extend(report)
            else:
                self._read_state()
        except DATABASE_OUTAGES as error:
            # Nobody can take the job over while the database is away, so trying again is safe.
            logger.warning("Job %s: heartbeat failed, trying again: %s", self.job.pk, error)
            self._put_report_back(report)
            connection.close()
        except Exception as error:  # whatever it is: a job without its keeper could not even be cancelled
            logger.exception("Job %s: its messages cannot be stored and are left out", self.job.pk)
            connection.close()
            self.say(event=not_stored(self.job, error))

    def _write_and_extend(self, report: Report) -> None:
        with transaction.atomic():
            if not write_report(self.job, report):
                self._put_report_back(report)
                # In a test's own transaction the row is invisible here; absence alone proves nothing.
                if Job.objects.filter(pk=self.job.pk).exists():
                    self.lost.set()
                return
        self._last_beat = time.monotonic()
        self._read_state()

    def _read_state(self) -> None:
        state = (
            Job.objects.filter(pk=self.job.pk, attempt=self.job.attempt)
            .values_list("state", flat=True)
            .first()
        )
        if state == JobState.CANCELLING:
            self.cancelled.set()
        elif state == JobState.PAUSING:
            self.paused.set()

    def _put_report_back(self, report: Report) -> None:
        with self._lock:
            self._report = Report(
                {**report.progress, **self._report.progress}, [*report.events, *self._report.events]
            )


def not_stored(job: Job, error: Exception) -> JobEvent:
    """The log line in place of a report that the database refused."""
    text = (
        f"Part of this log and of the progress could not be stored ({type(error).__name__}) and is left out; "
        "the server's log has the details."
    )
    return JobEvent(job=job, attempt=job.attempt, level="warning", text=text)


def write_report(job: Job, report: Report, **final: Any) -> bool:
    """Write progress and log lines of this attempt and extend its lease; False when it has been replaced.

    ``final`` are the fields that end the attempt. Call it in a transaction.
    """
    changes: dict[str, Any] = {
        "lease_expires_at": lease_end(),
        "state": Case(
            When(state=JobState.STARTING, then=Value(JobState.RUNNING)),
            default=F("state"),
        ),
        **report.progress,
        **final,
    }
    if not report.progress and "state" not in final:
        del changes["state"]
    if not Job.objects.filter(pk=job.pk, attempt=job.attempt, state__in=ACTIVE_STATES).update(**changes):
        return False
    JobEvent.objects.bulk_create(report.events)
    return True
