"""Measures that compare trainings of a sweep: losses, metrics of their outputs, human scores."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.db.models import Avg, Count

from evalapp.accounts.models import User
from evalapp.analysis.metrics.run_metrics import macro_f1
from evalapp.analysis.stored.comparison_result import comparison_of
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.jobs.models import JobState
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import COMPARED_METRICS
from evalapp.rubrics.kinds import answered_by
from evalapp.rubrics.models import Criterion
from evalapp.runs.models import Run, RunKind, Sweep
from evalapp.runs.sweeps.results import SweepTable, has_one_validation
from evalapp.scoring.labels import LABEL
from evalapp.scoring.models import MetricResult

LEAST_CANDIDATES = 2
MOST_RUNS = 5
"""Latest generations and campaigns whose numbers are offered."""
LOSSES = {"validation_loss": "Validation loss", "training_loss": "Training loss"}


class MeasureChoice(NamedTuple):
    """A measure of a sweep's trainings; ``of``: its source, empty for the trainings themselves."""

    key: str
    label: str
    lower_is_better: bool
    of: str = ""

    @property
    def words(self) -> str:
        return f"{self.label}, {self.of}" if self.of else self.label

    @property
    def label_within(self) -> str:
        """The label within a sentence; criteria and most metrics are names."""
        is_name = self.key.startswith(("people-", "metric-"))
        return self.label if is_name else f"{self.label[:1].lower()}{self.label[1:]}"


class MeasureChoices(NamedTuple):
    """``hidden``: campaigns whose scores this reader must not see yet, because they review there blind."""

    choices: list[MeasureChoice]
    hidden: list[Campaign]

    def chosen(self, key: str) -> MeasureChoice:
        """The chosen measure, else the first: the validation loss if it can be compared."""
        return next((each for each in self.choices if each.key == key), self.choices[0])


def measure_choices(sweep: Sweep, reader: User) -> MeasureChoices:
    """Metrics and scores that at least two of the sweep's candidates have in one run or campaign, and the
    losses; these come first unless the trainings are validated on different rows.
    """
    losses = [MeasureChoice(key, label, lower_is_better=True) for key, label in LOSSES.items()]
    is_comparable = has_one_validation(sweep)
    choices = list(losses) if is_comparable else []
    for run in _generations(sweep):
        if MetricResult.objects.filter(output__run=run, metric=LABEL, value__isnull=False).exists():
            choices.append(MeasureChoice(f"labels-{run.pk}-macro_f1", "Macro F1", False, f"in {run.name}"))
        choices += [
            MeasureChoice(
                f"metric-{run.pk}-{metric.name}", metric.label, metric.better == "lower", f"in {run.name}"
            )
            for metric in _computed(run)
        ]
    hidden = []
    for campaign in _campaigns(sweep):
        if is_reviewing_blind(campaign, reader):
            hidden.append(campaign)
            continue
        choices += [
            MeasureChoice(
                f"people-{campaign.pk}-{criterion.key}",
                criterion.name,
                criterion.is_less_better,
                f"in {campaign.name}",
            )
            for criterion in _criteria(campaign)
        ]
    return MeasureChoices(choices if is_comparable else [*choices, *losses], hidden)


def values_of(choice: MeasureChoice, sweep: Sweep, table: SweepTable) -> dict[int, float]:
    """The known values of the measure, by id of the training's run."""
    if choice.key in LOSSES:
        found = {row.run.pk: getattr(row, choice.key) for row in table.rows if row.is_done}
        return {run_id: value for run_id, value in found.items() if value is not None}
    kind, of, name = choice.key.split("-", 2)
    by_version: Mapping[int, float]
    if kind == "metric":
        by_version = _metric_means(int(of), name)
    elif kind == "labels":
        by_version = macro_f1(Run.objects.get(pk=of))
    else:
        campaign = next(each for each in _campaigns(sweep) if each.pk == int(of))
        by_version = _human_means(campaign, name)
    return {
        row.run.pk: by_version[row.run.produced_id]
        for row in table.rows
        if row.run.produced_id is not None and row.run.produced_id in by_version
    }


def _generations(sweep: Sweep) -> Sequence[Run]:
    """The latest generations with several candidates of the sweep."""
    runs = Run.objects.filter(
        project=sweep.project_id,
        kind=RunKind.GENERATION,
        job__state=JobState.SUCCEEDED,
        candidates__model_version__trained_by__sweep=sweep,
    )
    together = runs.annotate(own=Count("candidates")).filter(own__gte=LEAST_CANDIDATES)
    return list(together.order_by("-pk")[:MOST_RUNS])


def _computed(run: Run) -> list[MetricDescription]:
    names = set(
        MetricResult.objects.filter(output__run=run, metric__in=COMPARED_METRICS, value__isnull=False)
        .order_by()
        .values_list("metric", flat=True)
        .distinct()
    )
    return [metric for name, metric in COMPARED_METRICS.items() if name in names and metric.better != "none"]


def _metric_means(run_id: int, metric: str) -> dict[int, float]:
    results = MetricResult.objects.filter(output__run=run_id, metric=metric, value__isnull=False)
    means = results.order_by().values_list("output__candidate").annotate(Avg("value"))
    return dict(means)


def _campaigns(sweep: Sweep) -> Sequence[Campaign]:
    """The latest campaigns that rate several candidates of the sweep."""
    campaigns = (
        Campaign.objects.filter(project=sweep.project_id, candidates__model_version__trained_by__sweep=sweep)
        .exclude(state=CampaignState.DRAFT)
        .annotate(own=Count("candidates"))
        .filter(own__gte=LEAST_CANDIDATES)
        .select_related("project", "rubric_version__rubric", "dataset_version__dataset")
        .order_by("-pk")
    )
    return [campaign for campaign in campaigns[: 2 * MOST_RUNS] if not campaign.compares][:MOST_RUNS]


def _criteria(campaign: Campaign) -> Sequence[Criterion]:
    criteria = Criterion.objects.filter(version=campaign.rubric_version_id)
    return list(criteria.filter(kind__in=answered_by("level")).order_by("position"))


def _human_means(campaign: Campaign, key: str) -> Mapping[int, float]:
    found = {}
    for row in comparison_of(campaign).comparison.rows:
        cell = row.cell(key)
        if cell is not None and cell.mean.value is not None:
            found[row.candidate.model_version_id] = cell.mean.value
    return found
