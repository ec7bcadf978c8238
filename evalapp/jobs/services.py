"""Write operations on jobs from outside their work: create, reorder, pause, cancel, retry, and recover lost
ones.
"""

import socket
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError
from evalapp.jobs.lease import lease_end
from evalapp.jobs.models import ACTIVE_STATES, Job, JobEvent, JobState, Priority
from evalapp.jobs.notifications import notify_on_commit

RETRYABLE_STATES = [JobState.FAILED, JobState.DEAD, JobState.CANCELLED]
WAITING_STATES = [JobState.QUEUED, JobState.PAUSED]
WORKING_STATES = [JobState.STARTING, JobState.RUNNING]


@transaction.atomic
def create_job(
    *,
    project: Project,
    task: str,
    title: str,
    by: User | None,
    params: dict[str, Any] | None = None,
    queue: str = "default",
) -> Job:
    """Queue a job; its message is published when the surrounding transaction commits.

    ``task`` is the registered name of a Celery task that takes the job's id. ``queue`` is "default" or
    "models".
    """
    job = Job.objects.create(
        project=project,
        task=task,
        title=title[:200],
        queue=queue,
        params=params or {},
        created_by=by,
        notified_at=Now(),
    )
    job.refresh_from_db(fields=["notified_at", "queued_at"])
    record("job.created", by=by, obj=job, project=project, data={"task": task})
    notify_on_commit(queue)
    return job


@transaction.atomic
def request_cancel(*, job: Job, by: User | None) -> None:
    """Cancel a waiting job at once; ask a running one to save and stop. Raises ConflictError once over."""
    waiting = Job.objects.filter(pk=job.pk, state__in=WAITING_STATES)
    running = Job.objects.filter(pk=job.pk, state__in=[*WORKING_STATES, JobState.PAUSING])
    if waiting.update(state=JobState.CANCELLED, cancel_requested_at=Now(), finished_at=Now()):
        text = f"Cancelled {_waiting_words(job)}."
    elif running.update(state=JobState.CANCELLING, cancel_requested_at=Now()):
        text = "Asked to stop; it saves its work first."
    else:
        job.refresh_from_db()
        if job.state == JobState.CANCELLING:
            return
        raise ConflictError(
            f"This job has ended ({job.get_state_display().lower()}), so there is nothing to cancel."
        )
    job.refresh_from_db()
    _log(job, text)
    record("job.cancel_requested", by=by, obj=job, project=job.project)


@transaction.atomic
def retry_job(*, job: Job, by: User | None) -> None:
    """Queue an ended job again; it continues from what it had saved.

    Raises ConflictError when the job succeeded or is still going.
    """
    ended = Job.objects.filter(pk=job.pk, state__in=RETRYABLE_STATES)
    queued = ended.update(
        state=JobState.QUEUED,
        finished_at=None,
        cancel_requested_at=None,
        pause_requested_at=None,
        paused_by=None,
        queued_at=Now(),
        keeps_turn=False,
        left_by={},
        lost_attempts=0,
        error="",
        stage="",
        progress_done=0,
        eta_seconds=None,
        notified_at=Now(),
    )
    job.refresh_from_db()
    if not queued:
        raise ConflictError(
            f"This job is {job.get_state_display().lower()}; only a failed or cancelled job can be retried."
        )
    _log(job, "Queued again; it continues from its last checkpoint, if there is one.")
    record("job.retried", by=by, obj=job, project=job.project)
    notify_on_commit(job.queue)


@transaction.atomic
def request_pause(*, job: Job, by: User | None) -> None:
    """Pause a waiting job; ask a running one to save and free its worker.

    Raises ConflictError when it is over or being cancelled; a job that is paused stays so.
    """
    asked: dict[str, Any] = {"pause_requested_at": Now(), "paused_by": by}
    one = Job.objects.filter(pk=job.pk)
    if one.filter(state=JobState.QUEUED).update(state=JobState.PAUSED, **asked):
        text = f"Paused {_waiting_words(job)}."
    elif one.filter(state__in=WORKING_STATES).update(state=JobState.PAUSING, **asked):
        text = "Asked to pause; it saves its work first."
    else:
        job.refresh_from_db()
        if job.state in (JobState.PAUSED, JobState.PAUSING):
            return
        raise ConflictError(f"This job is {job.get_state_display().lower()}, so there is nothing to pause.")
    job.refresh_from_db()
    _log(job, text)
    record("job.pause_requested", by=by, obj=job, project=job.project)


@transaction.atomic
def resume_job(*, job: Job, by: User | None) -> None:
    """Resume a paused job from what it saved, when its turn comes. It has kept its place in the queue.

    Raises ConflictError when it is not paused.
    """
    one, asked = Job.objects.filter(pk=job.pk), {"pause_requested_at": None, "paused_by": None}
    if one.filter(state=JobState.PAUSED).update(state=JobState.QUEUED, notified_at=Now(), **asked):
        notify_on_commit(job.queue)
    # The attempt ends anyway, since its program may already have been told; it is then queued again.
    elif not one.filter(state=JobState.PAUSING).update(state=JobState.RUNNING, **asked):
        job.refresh_from_db()
        raise ConflictError(
            f"This job is {job.get_state_display().lower()}; only a paused job can be resumed."
        )
    job.refresh_from_db()
    goes_on = "it continues from its saved work" if job.attempt else "it starts when its turn comes"
    _log(job, f"Resumed; {goes_on}.")
    record("job.resumed", by=by, obj=job, project=job.project)


@transaction.atomic
def set_priority(*, job: Job, priority: Priority, by: User | None) -> None:
    """Change a waiting job's priority in its project. Raises ConflictError once it has begun or is over."""
    before = job.get_priority_display().lower()
    if not Job.objects.filter(pk=job.pk, state__in=WAITING_STATES).update(priority=priority):
        job.refresh_from_db()
        raise ConflictError(
            f"This job is {job.get_state_display().lower()}; only a queued job has a priority."
        )
    job.refresh_from_db()
    after = job.get_priority_display().lower()
    if after == before:
        return
    _log(job, f"Priority {after}, was {before}.")
    record("job.priority_set", by=by, obj=job, project=job.project, data={"from": before, "to": after})


def reap_lost_jobs() -> None:
    """Queue again every job whose worker fell silent, and notify for those whose message was lost.

    Safe to run anywhere, any number of times at once: every change is one conditional UPDATE.
    """
    # Such a lease was written before the database's clock went back: no worker can ask for that long.
    Job.objects.filter(state__in=ACTIVE_STATES, lease_expires_at__gt=lease_end()).update(
        lease_expires_at=lease_end()
    )
    expired = Job.objects.filter(state__in=ACTIVE_STATES, lease_expires_at__lt=Now())
    for job in expired.order_by("pk"):
        with transaction.atomic():
            end_lost_attempt(job, why="Its worker stopped responding", only_expired=True)
    _notify_again()


def end_lost_attempt(job: Job, *, why: str, only_expired: bool = False) -> bool:
    """End ``job.attempt`` without an outcome: queued again, cancelled when that was asked, or dead.

    ``why`` is half a sentence for the log. Returns False when the attempt was no longer the current one.
    Call it in a transaction.
    """
    mine = Job.objects.filter(pk=job.pk, attempt=job.attempt, state__in=ACTIVE_STATES)
    if only_expired:
        mine = mine.filter(lease_expires_at__lt=Now())
    ended: dict[str, Any] = {
        "lease_expires_at": None,
        "finished_at": Now(),
        "lost_attempts": F("lost_attempts") + 1,
    }
    limit = settings.JOB_MAX_LOST_ATTEMPTS
    if mine.filter(state=JobState.CANCELLING).update(state=JobState.CANCELLED, **ended):
        text = f"{why}; it had been asked to stop, so it is cancelled."
    elif mine.filter(state=JobState.PAUSING).update(state=JobState.PAUSED, **{**ended, "finished_at": None}):
        text = (
            f"{why}; it had been asked to pause, and continues from its last checkpoint when it is resumed."
        )
    elif mine.filter(lost_attempts__gte=limit - 1).update(
        state=JobState.DEAD, error=f"{why}, {limit} times in a row. Its log says how far it got.", **ended
    ):
        text = f"{why}, {limit} times in a row; given up."
    elif mine.update(
        state=JobState.QUEUED, notified_at=Now(), keeps_turn=True, **{**ended, "finished_at": None}
    ):
        text = f"{why}; queued again, it continues from its last checkpoint, if there is one."
        notify_on_commit(job.queue)
    else:
        return False
    _log(job, text, level="warning")
    return True


def put_back(
    job: Job, *, why: str, then: str = "its work is saved, and the next attempt continues from it"
) -> None:
    """End an attempt that saved its work without an outcome: queued again, paused or cancelled, as was asked.

    ``why`` is half a sentence for the log, and ``then`` its other half where the job is queued again. It
    counts as no loss. Call it in a transaction, with the lease in hand.
    """
    mine = Job.objects.filter(pk=job.pk, attempt=job.attempt, state__in=ACTIVE_STATES)
    ended: dict[str, Any] = {"lease_expires_at": None, "process_id": None, "process_started": None}
    if mine.filter(state=JobState.CANCELLING).update(state=JobState.CANCELLED, finished_at=Now(), **ended):
        _log(job, f"{why}; the job had been asked to stop, so it is cancelled.")
    elif mine.filter(state=JobState.PAUSING).update(state=JobState.PAUSED, **ended):
        _log(job, "Paused; its work is saved.")
    elif mine.update(state=JobState.QUEUED, notified_at=None, keeps_turn=True, **ended):
        _log(job, f"{why}; {then}.")


def leave_to_others(job: Job, *, why: str) -> None:
    """End an attempt on a machine that lacks what the job needs: queued again, and passed over here for a
    while.

    ``why`` is the sentence for the page and, when it is news, the log. Call it in a transaction, with the
    lease in hand.
    """
    host = socket.gethostname()
    is_news = job.left_by.get(host, {}).get("why") != why
    left_by = {**job.left_by, host: {"at": timezone.now().isoformat(), "why": why}}
    waiting: dict[str, Any] = {"state": JobState.QUEUED, "keeps_turn": True, "notified_at": None}
    mine = Job.objects.filter(pk=job.pk, attempt=job.attempt, state__in=WORKING_STATES)
    if not mine.update(**waiting, left_by=left_by, lease_expires_at=None):
        put_back(job, why=why.rstrip("."))
        return
    # This worker is still busy with the job, so another receives the message; an idle one need not wait for
    # the scheduler.
    notify_on_commit(job.queue)
    if is_news:
        _log(job, f"{why} It waits for a worker that has it.", level="warning")


def _notify_again() -> None:
    """Publish again for jobs that have waited too long: soon where the queue is idle, seldom where it is
    busy.
    """
    busy = set(Job.objects.filter(state__in=ACTIVE_STATES).values_list("queue", flat=True))
    idle_for, busy_for = (timedelta(seconds=seconds) for seconds in settings.JOB_RING_AGAIN_SECONDS)
    never = Q(notified_at=None) | Q(notified_at__gt=Now())  # the latter where the clock went back since
    silent = Q(notified_at__lt=Now() - idle_for) | never
    long_silent = Q(notified_at__lt=Now() - busy_for) | never
    waiting = Job.objects.filter(state=JobState.QUEUED)
    for job in waiting.filter((~Q(queue__in=busy) & silent) | long_silent).order_by("pk"):
        with transaction.atomic():
            again = waiting.filter(pk=job.pk, notified_at=job.notified_at)
            if again.update(notified_at=Now()):
                notify_on_commit(job.queue)


def _waiting_words(job: Job) -> str:
    job.refresh_from_db(fields=["attempt"])
    return "while it waited to continue" if job.attempt else "before it started"


def _log(job: Job, text: str, *, level: str = "info") -> None:
    JobEvent.objects.create(job=job, attempt=job.attempt, level=level, text=text)
