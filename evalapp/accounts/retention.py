"""How long a project keeps what nothing rests on: the kinds of data, and the days that it may choose."""

from collections.abc import Mapping
from enum import StrEnum

from evalapp.core.errors import InvalidError

LONGEST = 36_500


class Kept(StrEnum):
    """What is removed after so many days; the values are the names of ``Project.retention``."""

    PRODUCTION_EVENTS = "production_events"
    DRAFTS = "drafts"
    JOB_LOGS = "job_logs"


LABELS: Mapping[Kept, str] = {
    Kept.PRODUCTION_EVENTS: "Days to keep production events that nobody reviewed",
    Kept.DRAFTS: "Days to keep drafts that nobody touches",
    Kept.JOB_LOGS: "Days to keep logs of finished jobs",
}
HELP: Mapping[Kept, str] = {
    Kept.PRODUCTION_EVENTS: (
        "Empty: for good. Sampled events, and events that can still be sampled, are kept."
    ),
    Kept.DRAFTS: (
        "Leave empty to keep them for good. Applies to unsent reviews, and to drafts of datasets "
        "that did not become a version."
    ),
    Kept.JOB_LOGS: "Leave empty to keep them for good. The jobs themselves always stay.",
}


def checked_retention(days: Mapping[str, int | None]) -> dict[str, int]:
    """The days by kind, without those that are kept for good. Raises InvalidError for what is no kind, and
    for days out of range.
    """
    if unknown := sorted(set(days) - set(Kept)):
        raise InvalidError(f"There is no retention of “{unknown[0]}”. Choose among {', '.join(Kept)}.")
    if any(value is not None and not 1 <= value <= LONGEST for value in days.values()):
        raise InvalidError(f"Give 1 to {LONGEST:,} days, or nothing to keep it for good.", field="retention")
    return {str(name): value for name, value in sorted(days.items()) if value is not None}
