from django.db.models import CharField, Exists, OuterRef, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from evalapp.accounts.models import Project
from evalapp.jobs.models import ACTIVE_STATES, FINAL_STATES, Job, JobEvent, JobState

STATE_FILTERS: dict[str, list[JobState]] = {
    "going": [JobState.QUEUED, JobState.PAUSED, *ACTIVE_STATES],
    "failed": [JobState.FAILED, JobState.DEAD],
    "done": [state for state in FINAL_STATES if state not in (JobState.FAILED, JobState.DEAD)],
}
SHOWN_EVENTS = 200


def jobs_of(project: Project, *, state: str = "") -> QuerySet[Job]:
    """The project's jobs; ``state`` is a key of STATE_FILTERS, or empty for all.

    ``is_simulated`` of each: simulated reviews were used for the run that it carries out or scores, or
    for the export that it writes.
    """
    # Parameters are JSON, so the ids in them are compared as text.
    runs = project.runs.filter(is_simulated=True).annotate(key=Cast("pk", CharField()))
    exports = project.exports.filter(is_simulated=True).annotate(key=Cast("pk", CharField()))
    jobs = (
        project.jobs.select_related("created_by", "project")
        .alias(run_named=KT("params__run"), export_named=KT("params__export"))
        .annotate(
            is_simulated=Exists(runs.filter(job=OuterRef("pk")))
            | Exists(runs.filter(key=OuterRef("run_named")))
            | Exists(exports.filter(key=OuterRef("export_named")))
        )
    )
    return jobs.filter(state__in=STATE_FILTERS[state]) if state in STATE_FILTERS else jobs


def latest_events(job: Job, *, count: int = SHOWN_EVENTS) -> list[JobEvent]:
    """The last lines of the log, oldest first."""
    return list(job.events.order_by("-id")[:count])[::-1]
