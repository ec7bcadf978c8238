"""Evaluation cycles, read from runs, campaigns and decisions; the rows of a project's home page."""

from collections.abc import Iterable
from typing import NamedTuple

from evalapp.accounts.models import Project
from evalapp.analysis.comparison.candidates import CandidateRow, Comparison, HumanCell
from evalapp.analysis.comparison.differences import Contradiction
from evalapp.analysis.stored.comparison_result import ComparisonResult, comparisons_of
from evalapp.analysis.stored.stored_results import Freshness
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.datasets.models import DatasetVersion
from evalapp.decisions.models import Decision
from evalapp.exports.models import Export
from evalapp.measure import Measure
from evalapp.metrics.registry import HEADLINE_METRIC
from evalapp.rubrics.models import Criterion
from evalapp.runs.models import Run

SHOWN = 12


class CycleRow(NamedTuple):
    """One cycle: dataset version → run → candidates → campaign → decision.

    ``row``: the comparison's row of the cycle's candidate (the newest tuned one); ``training``: the run that
    made it, None if it was imported; ``data``: what it was trained on, else what was reviewed. ``export``:
    the newest. ``freshness`` as in `ComparisonResult`.
    """

    number: int
    campaign: Campaign
    data: DatasetVersion
    training: Run | None
    row: CandidateRow | None
    contradiction: Contradiction | None
    decision: Decision | None
    export: Export | None
    comparison: Comparison
    freshness: Freshness | None

    @property
    def training_rows(self) -> int:
        return int(self.data.counts.get("train", 0))

    @property
    def metric(self) -> Measure | None:
        return self.row.metrics.get(HEADLINE_METRIC) if self.row else None

    def cell(self, key: str) -> HumanCell | None:
        return self.row.cell(key) if self.row else None


def cycles_of(project: Project) -> list[CycleRow]:
    """The project's cycles, newest first, at most 12. A cycle is a campaign that has been opened, without
    those over items picked for their scores and the weeks of streams.
    """
    launched = project.campaigns.exclude(state=CampaignState.DRAFT).filter(
        invites_visitors=False, picked_because="", weekly_sample=None
    )
    campaigns = list(
        launched.select_related("project", "rubric_version__rubric", "dataset_version__dataset")
        .prefetch_related("decisions", "applied_gates", "exports__dataset_version__dataset")
        .order_by("-id")[:SHOWN]
    )
    compared = comparisons_of(campaigns)
    trainings = _trainings(candidate_of_cycle(found.campaign, found.comparison) for found in compared)
    newest = launched.count()
    return [_cycle(newest - position, found, trainings) for position, found in enumerate(compared)]


def _trainings(rows: Iterable[CandidateRow | None]) -> dict[int, Run]:
    """The training runs of the candidates, by model version."""
    made = Run.objects.filter(produced__in=[row.candidate.model_version_id for row in rows if row])
    return {
        run.produced_id: run for run in made.select_related("dataset_version__dataset") if run.produced_id
    }


def _cycle(number: int, found: ComparisonResult, trainings: dict[int, Run]) -> CycleRow:
    campaign, row = found.campaign, candidate_of_cycle(found.campaign, found.comparison)
    training = trainings.get(row.candidate.model_version_id) if row is not None else None
    return CycleRow(
        number=number,
        campaign=campaign,
        data=training.dataset_version if training else campaign.dataset_version,
        training=training,
        row=row,
        contradiction=found.figures.contradiction,
        decision=_last_decision(campaign),
        export=max(campaign.exports.all(), key=lambda export: export.pk, default=None),
        comparison=found.comparison,
        freshness=found.freshness,
    )


def candidate_of_cycle(campaign: Campaign, comparison: Comparison) -> CandidateRow | None:
    """The candidate of the latest decision; else the newest tuned one that is not the gate's champion, or the
    newest of any kind.
    """
    decision = _last_decision(campaign)
    decided = decision.candidate_id if decision is not None else None
    champions = {each.champion_id for each in campaign.applied_gates.all()}
    by_version = {row.candidate.model_version_id: row for row in comparison.rows}
    if decided in by_version:
        return by_version[decided]
    others = [row for version, row in by_version.items() if version not in champions]
    tuned = [row for row in others if row.candidate.model_version.is_tuned]
    return max(tuned or others, key=lambda row: row.candidate.model_version_id, default=None)


def _last_decision(campaign: Campaign) -> Decision | None:
    return max(campaign.decisions.all(), key=lambda decision: decision.pk, default=None)


def headline_cycles(cycles: list[CycleRow]) -> list[CycleRow]:
    """The cycles for the headline and the progress.

    Recorded and live cycles are told separately. The live ones are shown once as many campaigns are closed as
    were recorded; with fewer, they would suggest that no tuned candidate was preferred yet.
    """
    recorded = [cycle for cycle in cycles if cycle.campaign.is_recorded]
    live = [cycle for cycle in cycles if not cycle.campaign.is_recorded]
    closed = [cycle for cycle in live if cycle.campaign.state == CampaignState.CLOSED]
    return recorded if recorded and len(closed) < len(recorded) else live


def criteria_of_cycles(cycles: list[CycleRow]) -> list[Criterion]:
    """The columns: the criteria of the newest cycle reviewed here. Recorded cycles do not determine them."""
    own = (cycle for cycle in cycles if not cycle.campaign.is_imported)
    newest = next(own, cycles[0] if cycles else None)
    return list(newest.comparison.criteria) if newest else []


class Progress(NamedTuple):
    """One criterion over the cycles, oldest first: each cycle with people's result for its candidate."""

    name: str
    steps: list[tuple["CycleRow", Measure]]


def progress_of(cycles: list[CycleRow]) -> Progress | None:
    """The criterion of the latest contradiction (else the first scale) over the cycles that have it.

    Only for the latest dataset that was reviewed twice, because ratings of other data show no progress of it;
    None without one. The numbers are shown next to each other; campaigns are not subtracted.
    """
    if not cycles:
        return None
    story = next((cycle.contradiction for cycle in cycles if cycle.contradiction), None)
    scales = [criterion for criterion in cycles[0].comparison.criteria if criterion.rules.has_mean]
    criterion = story.cell.criterion if story else (scales[0] if scales else None)
    if criterion is None:
        return None
    cells = [(cycle, cycle.cell(criterion.key)) for cycle in reversed(cycles)]
    steps = [(cycle, cell.mean) for cycle, cell in cells if cell is not None and cell.mean.defined]
    datasets = [cycle.campaign.dataset_version.dataset_id for cycle, _ in steps]
    repeated_dataset = next((dataset for dataset in reversed(datasets) if datasets.count(dataset) > 1), None)
    comparable = [step for step, dataset in zip(steps, datasets, strict=True) if dataset == repeated_dataset]
    return Progress(criterion.name, comparable) if comparable else None
