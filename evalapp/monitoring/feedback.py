"""The reviewed rows of a stream that a proposal can train on, and the weeks they come from."""

from typing import NamedTuple

from django.db.models import Count
from django.db.models.fields.json import KeyTextTransform

from evalapp.datasets.models import DatasetVersion, Split, VersionState
from evalapp.exports.models import Export
from evalapp.monitoring.models import RetrainProposal

_MOST_LOOKED_AT = 20


class Feedback(NamedTuple):
    """A dataset version whose training rows all come from reviews of one stream; ``weeks``: number → rows."""

    version: DatasetVersion
    weeks: dict[int, int]

    @property
    def rows(self) -> int:
        return sum(self.weeks.values())


def feedback_for(proposal: RetrainProposal) -> list[Feedback]:
    """What the proposal can be accepted for, newest first: versions that exports of its stream's weeks made,
    with rows of the week that alerted or of a later one, and none from anywhere else.
    """
    stream, alerted = proposal.stream, proposal.alert.weekly_sample.number
    weeks = dict(
        Export.objects.filter(campaign__weekly_sample__stream=stream).values_list(
            "pk", "campaign__weekly_sample__number"
        )
    )
    made = DatasetVersion.objects.filter(
        exports__in=list(weeks), state=VersionState.READY, counts__train__gt=0
    ).distinct()
    found = []
    for version in made.select_related("dataset").order_by("-id")[:_MOST_LOOKED_AT]:
        rows = _rows_by_week(version, weeks)
        if rows is not None and max(rows) >= alerted:
            found.append(Feedback(version, rows))
    return found


def _rows_by_week(version: DatasetVersion, weeks: dict[int, int]) -> dict[int, int] | None:
    """Training rows by the week they were reviewed in; None where some come from elsewhere."""
    counted = (
        version.examples.filter(split=Split.TRAIN)
        .order_by()
        .values_list(KeyTextTransform("export", "provenance"))
        .annotate(Count("pk"))
    )
    found: dict[int, int] = {}
    for export, rows in counted:
        week = weeks.get(int(export)) if export and export.isdecimal() else None
        if week is None:
            return None
        found[week] = found.get(week, 0) + rows
    return dict(sorted(found.items()))
