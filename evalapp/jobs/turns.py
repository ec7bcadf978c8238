"""The order in which waiting jobs start. Pure; docs/adr/0013-whose-turn-it-is.md says why.

1. Work that had begun and was interrupted by nobody's wish goes on first.
2. Then the project with the fewest jobs going on in the queue; among those, the one served longest ago.
3. Within a project the higher priority, then what waits longest.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class WaitingJob(NamedTuple):
    """A waiting job, as far as its turn depends on it."""

    job_id: int
    project_id: int
    priority: int
    queued_at: datetime
    keeps_turn: bool
    left_by: Mapping[str, Mapping[str, str]] = {}
    """The machines that lack what it needs; it has no place in the order of those that any machine could
    start.
    """


@dataclass(frozen=True)
class ProjectLoad:
    """What decides between projects: how many jobs of each go on, and when each last began one (seconds)."""

    running: Mapping[int, int] = field(default_factory=dict)
    served_at: Mapping[int, float] = field(default_factory=dict)


def next_of(waiting: Iterable[WaitingJob], standing: ProjectLoad) -> WaitingJob | None:
    """The job to start now; None where none waits."""
    return min(waiting, key=lambda job: _sort_key(job, standing.running, standing.served_at), default=None)


def in_turn(
    waiting: Iterable[WaitingJob], standing: ProjectLoad, *, ending: Iterable[int], most: int
) -> list[WaitingJob]:
    """The next ``most`` jobs in the order in which they would start if nothing more came and none was
    changed.

    ``ending`` are the projects of the jobs that go on, in the order in which they are thought to end. Each
    end lets the next job start.
    """
    left, order = list(waiting), list[WaitingJob]()
    running, served_at = Counter(standing.running), dict(standing.served_at)
    ends = deque(ending)
    latest = max(served_at.values(), default=0.0)
    while left and len(order) < most:
        if ends:
            running[ends.popleft()] -= 1
        job = min(left, key=lambda each: _sort_key(each, running, served_at))
        left.remove(job)
        order.append(job)
        running[job.project_id] += 1
        served_at[job.project_id] = latest + len(order)
        ends.append(job.project_id)
    return order


def _sort_key(
    job: WaitingJob, running: Mapping[int, int], served_at: Mapping[int, float]
) -> tuple[object, ...]:
    return (
        not job.keeps_turn,
        running.get(job.project_id, 0),
        served_at.get(job.project_id, 0.0),
        -job.priority,
        job.queued_at,
        job.job_id,
    )
