"""Cycles: one turn of the loop each, read from what the loop stored; the rows of a project's home."""

from typing import NamedTuple

from django.db.models import Q

from evalapp.accounts.models import Project
from evalapp.analysis.comparison import (
    HEADLINE_METRIC,
    CandidateRow,
    Comparison,
    Contradiction,
    compare,
)
from evalapp.analysis.scores import load_scores
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.datasets.models import DatasetVersion
from evalapp.decisions.models import Decision
from evalapp.exports.models import Export
from evalapp.measure import Measure
from evalapp.registry.models import ModelKind
from evalapp.runs.models import Run

SHOWN = 12


class CycleRow(NamedTuple):
    """dataset version → run → candidates → campaign → decision.

    ``row`` is the comparison's row of the candidate that the cycle is about (the newest tuned one);
    ``training`` is the run that made it, None where it was made elsewhere.
    """

    number: int
    campaign: Campaign
    data: DatasetVersion
    training: Run | None
    row: CandidateRow | None
    metric: Measure | None
    contradiction: Contradiction | None
    decision: Decision | None
    export: Export | None
    comparison: Comparison

    @property
    def training_rows(self) -> int:
        return int(self.data.counts.get("train", 0))


def cycles_of(project: Project) -> list[CycleRow]:
    """The project's cycles, newest first, at most 12; a cycle is a campaign that has been opened."""
    campaigns = list(
        project.campaigns.exclude(state=CampaignState.DRAFT)
        .filter(~Q(invites_visitors=True))
        .select_related("project", "rubric_version__rubric", "dataset_version__dataset")
        .prefetch_related(
            "decisions__candidate", "decisions__decided_by", "exports__dataset_version__dataset"
        )
        .order_by("id")
    )
    numbered = list(enumerate(campaigns, start=1))[-SHOWN:]
    return [_cycle(number, campaign) for number, campaign in reversed(numbered)]


def _cycle(number: int, campaign: Campaign) -> CycleRow:
    comparison = compare(load_scores(campaign))
    row = candidate_of_cycle(comparison)
    training = None
    if row is not None:
        training = (
            Run.objects.filter(produced=row.candidate.model_version)
            .select_related("dataset_version__dataset", "job")
            .first()
        )
    decisions = sorted(campaign.decisions.all(), key=lambda decision: -decision.pk)
    exports = sorted(campaign.exports.all(), key=lambda export: -export.pk)
    return CycleRow(
        number=number,
        campaign=campaign,
        data=training.dataset_version if training else campaign.dataset_version,
        training=training,
        row=row,
        metric=row.metrics.get(HEADLINE_METRIC) if row else None,
        contradiction=comparison.contradiction,
        decision=decisions[0] if decisions else None,
        export=exports[0] if exports else None,
        comparison=comparison,
    )


def candidate_of_cycle(comparison: Comparison) -> CandidateRow | None:
    """The newest tuned candidate, else the last in order."""
    if not comparison.rows:
        return None
    tuned = [row for row in comparison.rows if row.candidate.model_version.kind == ModelKind.LORA]
    return max(tuned, key=lambda row: row.candidate.model_version_id) if tuned else comparison.rows[-1]
