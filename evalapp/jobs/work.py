"""What a task does with a job: claim it, do the work under a lease, record how it ended.

    @shared_task(name="evalapp.datasets.tasks.import_dataset")
    def import_dataset(job_id: int) -> None:
        carry_out(job_id, services.import_rows, task="evalapp.datasets.tasks.import_dataset")

The work gets a ``Work`` and returns the job's result, or None. A job may be carried out several times:
its worker can be killed at any point, so a second attempt must continue or repeat the first one's work
without doubling it. Write results in a transaction that calls ``work.fence()`` as its last step.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models.functions import Now

from evalapp.core.errors import NotHereError, ProblemError
from evalapp.core.outages import AWAY, is_disk_full
from evalapp.core.storage import NO_ROOM
from evalapp.jobs import attempts
from evalapp.jobs.lease import LeaseKeeper, LeaseLost, Report, claim, lease_end, not_stored, write_report
from evalapp.jobs.models import ACTIVE_STATES, Job, JobEvent, JobState
from evalapp.jobs.services import end_lost_attempt, leave_to_others, put_back
from evalapp.jobs.stopping import WorkerStopping, worker_is_stopping

__all__ = [
    "AttemptLost",
    "JobCancelled",
    "JobPaused",
    "LeaseLost",
    "NoDeviceFree",
    "Work",
    "WorkerStopping",
    "carry_out",
]

DATABASE_FULL = (
    "The disk of the database is full. Nothing half-done was kept: ask the administrator to free space on"
    " its disk, then start this again."
)
NO_ROOM_FOR_FILES = (
    "The disk of EVALAPP_HOME is full. Nothing half-done was kept: ask the administrator to free space on"
    " it, then start this again."
)
logger = logging.getLogger(__name__)

_REST_STEP_SECONDS = 0.2
_ROWS_BETWEEN_REPORTS = 2_000
_Row = TypeVar("_Row")
ENDING_PAUSES = (0.5, 1, 2, 4, 8)
"""Seconds between tries to write an ending while the database is away."""


class JobCancelled(Exception):
    """The work noticed the request to stop and has saved what it had."""


class JobPaused(Exception):
    """The work noticed the request to pause and has saved what it had."""


class NoDeviceFree(Exception):
    """Every device of this machine is in use: the job waits on."""


class AttemptLost(Exception):
    """The attempt ended without an outcome (a killed program): queue the job again, or give it up."""


class Work:
    """What the function that does a job may ask and say. Cheap to call from any loop."""

    def __init__(self, job: Job, keeper: LeaseKeeper) -> None:
        self.job = job
        self._keeper = keeper
        self._stage = job.stage
        self._stage_started = (time.monotonic(), 0)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked for a stop (known within a second or two)."""
        return self._keeper.cancelled.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether somebody asked for a pause (known within a second or two)."""
        return self._keeper.paused.is_set()

    @property
    def should_stop(self) -> bool:
        """Whether the work should save what it has and end, for whatever reason."""
        return self.is_cancelled or self.is_paused or worker_is_stopping()

    @property
    def is_lost(self) -> bool:
        """Whether another attempt has taken the job over."""
        return self._keeper.lost.is_set()

    def progress(
        self,
        done: int,
        total: int | None = None,
        stage: str | None = None,
        *,
        eta_seconds: float | None = None,
    ) -> None:
        """``report``, then ``raise_if_cancelled``, so a loop needs no more."""
        self.report(done, total, stage, eta_seconds=eta_seconds)
        self.raise_if_cancelled()

    def report(
        self,
        done: int,
        total: int | None = None,
        stage: str | None = None,
        *,
        eta_seconds: float | None = None,
    ) -> None:
        """Say how far the work is; ``total`` None while it is unknown.

        The time left is estimated from the pace since the stage began, unless ``eta_seconds`` is given.
        """
        now = time.monotonic()
        if stage is not None and stage != self._stage:
            self._stage = stage
            self._stage_started = (now, done)
        if eta_seconds is None and total:
            began, already = self._stage_started
            pace = (done - already) / (now - began) if now > began else 0
            eta_seconds = (total - done) / pace if pace > 0 else None
        self._keeper.say(
            progress={
                "progress_done": done,
                "progress_total": total,
                "stage": self._stage[:120],
                "eta_seconds": eta_seconds,
            }
        )

    def following(self, rows: Iterable[_Row], total: int, stage: str) -> Iterator[_Row]:
        """The rows, reported as they are passed on. Raises JobCancelled as `progress` does."""
        for done, row in enumerate(rows):
            if done % _ROWS_BETWEEN_REPORTS == 0:
                self.progress(done, total, stage)
            yield row

    def note_gain(self) -> None:
        """Say that the work has come farther than any earlier attempt: losses before that count no more.

        So a job is given up that fails at the same place every time, not one whose machine is stopped often.
        """
        self._keeper.say(progress={"lost_attempts": 0})

    def enter(self, stage: str) -> None:
        """Say what is being done now, and leave the counts as they are."""
        self._stage = stage
        self._stage_started = (time.monotonic(), 0)
        self._keeper.say(progress={"stage": stage[:120], "eta_seconds": None})

    def log(self, text: str, level: str = "info", data: dict[str, Any] | None = None) -> None:
        """Add a line to the job's log; ``level`` is info, warning or error."""
        event = JobEvent(
            job=self.job,
            attempt=self.job.attempt,
            level=level,
            text=text.replace("\x00", "�"),
            data=data or {},
        )
        self._keeper.say(event=event)

    def raise_if_cancelled(self) -> None:
        """Raise LeaseLost, JobCancelled, JobPaused or WorkerStopping when the work should stop; never touches
        the database.
        """
        if self.is_lost:
            raise LeaseLost
        if self.is_cancelled:
            raise JobCancelled
        if self.is_paused:
            raise JobPaused
        if worker_is_stopping():
            raise WorkerStopping

    def rest(self, seconds: float) -> None:
        """Wait, and raise as ``raise_if_cancelled`` does as soon as the work should stop."""
        ends = time.monotonic() + seconds
        while True:
            self.raise_if_cancelled()
            left = ends - time.monotonic()
            if left <= 0:
                return
            # In steps, because a cancel is a row in the database that nothing announces.
            time.sleep(min(_REST_STEP_SECONDS, left))

    def fence(self) -> None:
        """Hold the job's row until the surrounding transaction ends; raise LeaseLost if it is not ours.

        The last call before the commit of results: no other attempt can start in between.
        """
        mine = Job.objects.filter(pk=self.job.pk, attempt=self.job.attempt, state__in=ACTIVE_STATES)
        if not mine.update(lease_expires_at=lease_end()):
            raise LeaseLost

    def record_process(self, process_id: int, started: float, device: str) -> None:
        """Remember the program that does the work and where, so that the next attempt can end it first."""
        mine = Job.objects.filter(pk=self.job.pk, attempt=self.job.attempt, state__in=ACTIVE_STATES)
        if not mine.update(process_id=process_id, process_started=started, device=device):
            raise LeaseLost
        self.job.process_id, self.job.process_started = process_id, started


def carry_out(job_id: int, attempt_work: Callable[[Work], dict[str, Any] | None], *, task: str) -> None:
    """Do a job, if it is queued: a doubled message, or one for a cancelled job, does nothing.

    Whatever ``attempt_work`` does, the row ends in the state that tells it: succeeded with the returned
    result, failed with a ProblemError's message or a plain sentence, cancelled, or queued again; a
    NotHereError leaves it to other machines.
    """
    job = claim(job_id, task=task)
    if job is None:
        return
    with attempts.attempt_shown(job):
        keeper = LeaseKeeper(job)
        keeper.start()
        try:
            ending = _attempt(Work(job, keeper), attempt_work)
        finally:
            keeper.stop()
        with contextlib.suppress(LeaseLost):
            _write_ending(job, keeper.take(), ending)


Ending = Callable[[Job, Report], None]


def _error_in_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return NO_ROOM_FOR_FILES
    return (
        f"An unexpected error occurred ({type(error).__name__}); the server's log has the details. "
        "Nothing half-done was kept: try again, and tell your administrator if it happens again."
    )


def _attempt(  # noqa: PLR0911 - one return for each way to end
    work: Work, attempt_work: Callable[[Work], dict[str, Any] | None]
) -> Ending:
    try:
        result = attempt_work(work)
    except LeaseLost:
        return _write_nothing
    except JobCancelled:
        return _ending_in_state(JobState.CANCELLED)
    except JobPaused:
        # Told to go on in the meantime, it is queued again.
        return _ending_without_outcome(put_back, "Resumed while it was pausing")
    except NoDeviceFree:
        begun_nothing = partial(put_back, then="nothing was started, and it waits for a device")
        return _ending_without_outcome(begun_nothing, "Every device of this machine was in use")
    except WorkerStopping:
        return _ending_without_outcome(put_back, "evalapp was stopped")
    except AttemptLost as error:
        return _ending_without_outcome(end_lost_attempt, str(error))
    except AWAY as error:
        if is_disk_full(error):
            logger.exception("Job %s: the database has no space left", work.job.pk)
            return _ending_in_state(JobState.FAILED, error=DATABASE_FULL)
        logger.warning("Job %s: lost the database or the broker: %s", work.job.pk, error)
        return _ending_without_outcome(end_lost_attempt, "The database was lost")
    except NotHereError as error:
        return _ending_without_outcome(leave_to_others, error.message)
    except ProblemError as error:
        work.log(error.message, level="error", data={"fields": error.fields} if error.fields else None)
        return _ending_in_state(JobState.FAILED, error=error.message)
    except Exception as error:  # the edge of the task: every end gets its sentence
        logger.exception("Job %s (%s) failed", work.job.pk, work.job.task)
        message = _error_in_words(error)
        work.log(message, level="error")
        return _ending_in_state(JobState.FAILED, error=message)
    return _ending_in_state(JobState.SUCCEEDED, result=result or {})


def _ending_in_state(state: JobState, **fields: Any) -> Ending:
    def write(job: Job, report: Report) -> None:
        ended = {
            "finished_at": Now(),
            "lease_expires_at": None,
            "eta_seconds": None,
            "pause_requested_at": None,
            "paused_by": None,
        }
        if not write_report(
            job, report, state=state, process_id=None, process_started=None, **ended, **fields
        ):
            raise LeaseLost

    return write


def _ending_without_outcome(end: Callable[..., object], why: str) -> Ending:
    """Write what the attempt has said, then end it by a service of `evalapp.jobs.services`."""

    def write(job: Job, report: Report) -> None:
        if not write_report(job, report):
            raise LeaseLost
        end(job, why=why)

    return write


def _write_nothing(job: Job, report: Report) -> None:
    """Another attempt owns the row; what this one had to say is dropped."""


def _write_ending(job: Job, report: Report, ending: Ending) -> None:
    """Write how the attempt ended: without its last report where the database refuses that, else as a
    failure.

    An attempt without an ending would be repeated, and its silence blamed on its worker.
    """
    if refused := _error_of_writing(job, report, ending):
        refused = _error_of_writing(job, Report(events=[not_stored(job, refused)]), ending)
    if refused:
        _error_of_writing(job, Report(), _ending_in_state(JobState.FAILED, error=_error_in_words(refused)))


def _error_of_writing(job: Job, report: Report, ending: Ending) -> Exception | None:
    try:
        _write_with_retries(job, report, ending)
    except LeaseLost:
        raise
    except Exception as error:  # whatever the driver or PostgreSQL makes of a value
        logger.exception("Job %s: its ending cannot be stored so", job.pk)
        return error
    return None


def _write_with_retries(job: Job, report: Report, ending: Ending) -> None:
    for pause in _pauses():
        try:
            with transaction.atomic():
                ending(job, report)
        except AWAY:
            logger.warning("Job %s: its ending cannot be written yet", job.pk)
            if not connection.in_atomic_block:
                connection.close()
            time.sleep(pause)
        else:
            return
    logger.error("Job %s: its ending was not written; it is repeated when its lease expires", job.pk)


def _pauses() -> Iterator[float]:
    yield from ENDING_PAUSES
