import socket
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Max, Min, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from evalapp.accounts.models import Project
from evalapp.celery import app
from evalapp.jobs.models import ACTIVE_STATES, FINAL_STATES, Job, JobEvent, JobState
from evalapp.jobs.turns import ProjectLoad, WaitingJob, next_of

STATE_FILTERS: dict[str, list[JobState]] = {
    "active": [JobState.QUEUED, JobState.PAUSED, *ACTIVE_STATES],
    "failed": [JobState.FAILED, JobState.DEAD],
    "done": [state for state in FINAL_STATES if state not in (JobState.FAILED, JobState.DEAD)],
}
SHOWN_EVENTS = 200


def jobs_of(project: Project, *, state: str = "") -> QuerySet[Job]:
    """The project's jobs; ``state`` is a key of STATE_FILTERS, or empty for all."""
    jobs = project.jobs.select_related("created_by", "project")
    return jobs.filter(state__in=STATE_FILTERS[state]) if state in STATE_FILTERS else jobs


def latest_events(job: Job, *, count: int = SHOWN_EVENTS) -> list[JobEvent]:
    """The last lines of the log, oldest first."""
    return list(job.events.order_by("-id")[:count])[::-1]


def next_job(queue: str) -> Job | None:
    """The next job of the queue that this machine's workers can run; None without one."""
    # A job may come from another version of the product, with tasks of its own.
    known = set(app.tasks)
    patient = Job.objects.filter(queue=queue, state__in=ACTIVE_STATES, task__in=settings.PATIENT_TASKS)
    if patient.count() >= settings.MOST_PATIENT_TASKS:
        known -= settings.PATIENT_TASKS
    waiting = (each for each in waiting_in(queue, tasks=list(known)) if not _was_passed_on_here(each))
    chosen = next_of(waiting, project_load_in(queue))
    return Job.objects.filter(pk=chosen.job_id).first() if chosen else None


def _was_passed_on_here(waiting: WaitingJob) -> bool:
    """Whether this machine recently passed the job on because it lacks what the job needs."""
    left = waiting.left_by.get(socket.gethostname())
    since = timezone.now() - timedelta(seconds=settings.JOB_LOOK_AGAIN_SECONDS)
    return left is not None and datetime.fromisoformat(left["at"]) > since


def waiting_in(queue: str, *, tasks: list[str] | None = None) -> list[WaitingJob]:
    """The queue's waiting jobs, unordered; ``tasks``: only jobs of these tasks."""
    rows = Job.objects.filter(queue=queue, state=JobState.QUEUED)
    if tasks is not None:
        rows = rows.filter(task__in=tasks)
    fields = ("pk", "project_id", "priority", "queued_at", "keeps_turn", "left_by")
    return [WaitingJob(*row) for row in rows.values_list(*fields)]


def project_load_in(queue: str) -> ProjectLoad:
    """How many jobs of each project are running in the queue, and when each project last began one."""
    jobs = Job.objects.filter(queue=queue)
    running = jobs.filter(state__in=ACTIVE_STATES).order_by().values_list("project_id").annotate(Count("pk"))
    waiting = jobs.filter(state=JobState.QUEUED).values("project_id")
    served = (
        jobs.filter(project_id__in=waiting, claimed_at__isnull=False)
        .order_by()
        .values_list("project_id")
        .annotate(Max("claimed_at"))
    )
    return ProjectLoad(
        running=dict(running), served_at={project: latest.timestamp() for project, latest in served}
    )


def oldest_waits() -> dict[str, timedelta]:
    """The longest wait in each queue; queues without waiting jobs are left out."""
    rows = Job.objects.filter(state=JobState.QUEUED).order_by().values_list("queue")
    return dict(rows.annotate(waits=Now() - Min("queued_at")))
