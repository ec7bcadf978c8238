"""The queues as one project sees them. Runs of other projects are counted, never named."""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone
from redis import RedisError

from evalapp.accounts.models import Project
from evalapp.jobs.heartbeats import Heartbeat, heartbeats
from evalapp.jobs.models import ACTIVE_STATES, Job, JobState
from evalapp.jobs.queries import project_load_in, waiting_in
from evalapp.jobs.turns import in_turn
from evalapp.runs.models import Run

MOST_PLACES = 200
"""Maximum number of positions computed over the whole queue; later jobs are listed as waiting without one."""


class Entry(NamedTuple):
    """A job, and its run if it has one."""

    job: Job
    run: Run | None

    @property
    def name(self) -> str:
        return self.run.name if self.run else self.job.title


class QueuePosition(NamedTuple):
    """A waiting job of the project, and the jobs that start before it."""

    entry: Entry
    number: int | None
    """From 1, over all projects; None beyond MOST_PLACES, or if a worker with what the job lacks must be
    found first.
    """
    own_ahead: int
    others_ahead: int

    @property
    def why(self) -> str:
        """A sentence that says what the job waits for."""
        if self.entry.job.lacks:
            return f"{' '.join(self.entry.job.lacks)} It waits for a worker that has it."
        if self.number is None:
            return f"More than {MOST_PLACES} jobs come first."
        if self.entry.job.keeps_turn:
            return "It was interrupted, so it continues before jobs that have not started."
        if self.number == 1:
            return "The next to start."
        ahead = [
            words
            for count, words in (
                (self.own_ahead, f"{self.own_ahead} of this project"),
                (
                    self.others_ahead,
                    (
                        f"{self.others_ahead} of"
                        f" {'another project' if self.others_ahead == 1 else 'other projects'}"
                    ),
                ),
            )
            if count
        ]
        turns = " Projects take turns." if self.others_ahead else ""
        return f"Waits for {' and '.join(ahead)}.{turns}"


class QueueView(NamedTuple):
    """One queue as a project sees it."""

    name: str
    running: list[Entry]
    running_elsewhere: int
    queued: list[QueuePosition]
    """In the order in which they will start."""
    queued_elsewhere: int
    paused: list[Entry]
    workers: list[Heartbeat]
    """Last heartbeat of each worker; empty if there was none or the broker is unavailable."""
    oldest_waits: timedelta | None
    """Longest waiting time of a job, in any project."""


def queue_view(project: Project, queue: str) -> QueueView:
    """The project's jobs in a queue: running, waiting with reasons, and paused."""
    jobs = Job.objects.filter(queue=queue).select_related("created_by", "paused_by", "project")
    active = list(
        jobs.filter(state__in=ACTIVE_STATES).order_by("claimed_at", "pk").values_list("pk", "project_id")
    )
    own_active = [pk for pk, owner in active if owner == project.pk]
    waiting = waiting_in(queue)
    anywhere = [each for each in waiting if not each.left_by]
    order = in_turn(anywhere, project_load_in(queue), ending=[owner for _, owner in active], most=MOST_PLACES)
    places: dict[int, tuple[int, int, int]] = {}
    own, others = 0, 0
    for number, each in enumerate(order, start=1):
        if each.project_id == project.pk:
            places[each.job_id] = number, own, others
            own += 1
        else:
            others += 1
    own_jobs = jobs.filter(project=project)
    found = _entries(own_jobs.filter(state__in=[JobState.QUEUED, JobState.PAUSED, *ACTIVE_STATES]))
    queued = [entry for entry in found if entry.job.state == JobState.QUEUED]
    return QueueView(
        name=queue,
        running=[entry for entry in found if entry.job.pk in own_active],
        running_elsewhere=len(active) - len(own_active),
        queued=sorted(
            (_position_of(entry, places.get(entry.job.pk)) for entry in queued),
            key=lambda place: (place.number is None, place.number, place.entry.job.pk),
        ),
        queued_elsewhere=sum(each.project_id != project.pk for each in waiting),
        paused=[entry for entry in found if entry.job.state == JobState.PAUSED],
        workers=_workers(queue),
        oldest_waits=max((timezone.now() - each.queued_at for each in waiting), default=None),
    )


def _workers(queue: str) -> list[Heartbeat]:
    try:
        return [heartbeat for heartbeat in heartbeats() if heartbeat.queue == queue]
    except RedisError:
        return []


def _position_of(entry: Entry, found: tuple[int, int, int] | None) -> QueuePosition:
    return QueuePosition(entry, *found) if found else QueuePosition(entry, None, 0, 0)


def _entries(jobs: Iterable[Job]) -> list[Entry]:
    listed = sorted(jobs, key=lambda job: job.pk)
    runs = {run.job_id: run for run in Run.objects.filter(job__in=[job.pk for job in listed])}
    return [Entry(job, runs.get(job.pk)) for job in listed]
