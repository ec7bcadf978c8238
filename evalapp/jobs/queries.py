from django.db.models import QuerySet

from evalapp.accounts.models import Project
from evalapp.jobs.models import ACTIVE_STATES, FINAL_STATES, Job, JobEvent, JobState

STATE_FILTERS: dict[str, list[JobState]] = {
    "going": [JobState.QUEUED, JobState.PAUSED, *ACTIVE_STATES],
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
