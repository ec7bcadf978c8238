"""The limits of queued and running runs per project."""

from evalapp.accounts.models import Project
from evalapp.core.errors import ConflictError
from evalapp.jobs.models import FINAL_STATES
from evalapp.runs.models import Run

MOST_UNFINISHED_RUNS = 40
"""A whole sweep, and room beside it."""


def require_room(project: Project, *, runs: int = 1) -> None:
    """Raises ConflictError where so many runs more would be too many at once. Call it in a transaction."""
    # The project's row serialises starts, so the limit holds.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    unfinished = Run.objects.filter(project=project).exclude(job__state__in=FINAL_STATES).count()
    if unfinished + runs <= MOST_UNFINISHED_RUNS:
        return
    more = f", and this adds {runs} more; the limit is {MOST_UNFINISHED_RUNS}" if runs > 1 else ""
    raise ConflictError(
        f"{unfinished} runs of this project are queued or running already{more}. Wait for some, or"
        " cancel some."
    )
