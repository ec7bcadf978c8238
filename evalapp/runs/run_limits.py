"""Limits of queued and running runs per project."""

from evalapp.accounts.models import Project
from evalapp.core.errors import ConflictError
from evalapp.jobs.models import FINAL_STATES
from evalapp.runs.models import Run

MOST_UNFINISHED_RUNS = 40
"""Room for a whole sweep and some more runs."""


def require_room(project: Project, *, runs: int = 1) -> None:
    """Raises ConflictError if ``runs`` more would exceed the limit. Call in a transaction."""
    # Locking the project's row serialises starts, so that the limit holds.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    unfinished = Run.objects.filter(project=project).exclude(job__state__in=FINAL_STATES).count()
    if unfinished + runs <= MOST_UNFINISHED_RUNS:
        return
    more = f", and this adds {runs} more; the limit is {MOST_UNFINISHED_RUNS}" if runs > 1 else ""
    raise ConflictError(
        f"{unfinished} runs of this project are queued or running already{more}. Wait for some, or"
        " cancel some."
    )
