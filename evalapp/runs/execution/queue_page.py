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
"""Of the whole queue; what waits behind them is told as waiting, without a place."""


class Entry(NamedTuple):
    """A job and the run that it carries out, where it is one's."""

    job: Job
    run: Run | None

    @property
    def name(self) -> str:
        return self.run.name if self.run else self.job.title


class QueuePosition(NamedTuple):
    """A waiting job of the project, and what starts before it."""

    entry: Entry
    number: int | None
    """From 1, over all projects; None behind MOST_PLACES, and where a machine has to be found
    that can do it.
    """
    own_ahead: int
    others_ahead: int

    @property
    def why(self) -> str:
        """What it waits for, as a sentence."""
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
    """When each worker was last heard; empty where none was, or nobody can tell."""
    oldest_waits: timedelta | None
    """For how long the job has waited that has waited longest, of whichever project."""


def queue_view(project: Project, queue: str) -> QueueView:
    """The project's jobs of a queue: what goes on, what waits for what, what is paused."""
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
            (_place(entry, places.get(entry.job.pk)) for entry in queued),
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


def _place(entry: Entry, found: tuple[int, int, int] | None) -> QueuePosition:
    return QueuePosition(entry, *found) if found else QueuePosition(entry, None, 0, 0)


def _entries(jobs: Iterable[Job]) -> list[Entry]:
    listed = sorted(jobs, key=lambda job: job.pk)
    runs = {run.job_id: run for run in Run.objects.filter(job__in=[job.pk for job in listed])}
    return [Entry(job, runs.get(job.pk)) for job in listed]
