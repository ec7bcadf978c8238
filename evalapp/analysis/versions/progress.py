"""Progress over a dataset's versions: scores and metrics of the models trained on them, on shared items."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import Avg, Count, Max, QuerySet

from evalapp.accounts.models import User
from evalapp.analysis.comparison.differences import step_between_levels
from evalapp.campaigns.models import Campaign, CampaignState, Purpose
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.number_format import MINUS, as_text
from evalapp.datasets.models import Dataset, DatasetVersion, Example, Split
from evalapp.measure import Measure
from evalapp.metrics.registry import COMPARED_METRICS
from evalapp.reviews.models import Review, Score
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.rubrics.models import Criterion
from evalapp.runs.models import Run, RunKind
from evalapp.scoring.labels import LABEL
from evalapp.scoring.models import MetricResult
from evalapp.stats.differences import mean_difference
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import mean_over_items

MOST_VERSIONS = 8
FEWEST_SHARED = 5
"""Fewest items that all versions answered; with fewer, the oldest version is left out."""

_VERSION_OF_OUTPUT = "candidate__trained_by__dataset_version__number"
_PROMPT_OF_OUTPUT = "example__prompt_hash"

# Mean of each item (by prompt), for each version (by number).
Values = Mapping[int, Mapping[str, float]]


class Trained(NamedTuple):
    """A version with the runs whose models were trained on it."""

    version: DatasetVersion
    runs: Sequence[Run]


class ProgressStep(NamedTuple):
    """``mean``: over the shared items. ``change``: from the version before, paired by item; None for the
    first.
    ``others``: number of further items that this version's models answered.
    """

    version: DatasetVersion
    mean: Measure
    change: Measure | None
    others: int

    @property
    def is_better(self) -> bool | None:
        """Whether the number rose significantly; None if the change's interval contains 0, or there is no
        interval.
        """
        change = self.change
        if change is None or change.low is None or change.high is None or change.low <= 0 <= change.high:
            return None
        return change.low > 0

    def words(self, *, is_share: bool) -> str:
        """The change with its interval, signed; for a share in percentage points. Empty without a change."""
        change = self.change
        if change is None or change.value is None:
            return ""
        half = None if change.low is None or change.high is None else (change.high - change.low) / 2
        factor, unit = (100, " points") if is_share else (1, "")

        def signed(value: float) -> str:
            shown = as_text(abs(factor * value), half_width=None if half is None else factor * half)
            return f"{MINUS if value < 0 else '+'}{shown}"

        if change.low is None or change.high is None:
            return f"{signed(change.value)}{unit}"
        return f"{signed(change.value)} ({signed(change.low)} to {signed(change.high)}){unit}"


class ProgressRow(NamedTuple):
    """One measure over versions, oldest first. All means and changes are over the ``shared`` items.
    ``left_out``: versions that answered too few of the others' items.
    """

    key: str
    label: str
    source: str
    lower_is_better: bool | None
    is_share: bool
    shared: int
    steps: Sequence[ProgressStep]
    left_out: Sequence[DatasetVersion]

    def step_of(self, version: DatasetVersion) -> ProgressStep | None:
        return next((step for step in self.steps if step.version == version), None)

    def improved(self, step: ProgressStep) -> bool | None:
        """Whether the change is an improvement; None if it is not significant, or the measure has no
        direction.
        """
        if step.is_better is None or self.lower_is_better is None:
            return None
        return step.is_better is not self.lower_is_better


class DatasetProgress(NamedTuple):
    """``seen``: ids of the campaigns that the rows are based on; ``hidden``: campaigns whose scores the
    reader must not see yet, because they review there blind.
    """

    dataset: Dataset
    trained: Sequence[Trained]
    rows: Sequence[ProgressRow]
    seen: Sequence[int]
    hidden: Sequence[Campaign]


def trained_versions(dataset: Dataset) -> list[Trained]:
    """The latest versions that models were trained on, oldest first."""
    runs = (
        Run.objects.filter(kind=RunKind.TRAINING, dataset_version__dataset=dataset, produced__isnull=False)
        .select_related("dataset_version__dataset", "produced")
        .order_by("dataset_version__number", "pk")
    )
    by_version: dict[DatasetVersion, list[Run]] = defaultdict(list)
    for run in runs:
        assert run.dataset_version is not None
        by_version[run.dataset_version].append(run)
    return [Trained(*each) for each in list(by_version.items())[-MOST_VERSIONS:]]


def progress_of(dataset: Dataset, reader: User) -> DatasetProgress:
    """Every measure that at least two versions have on shared items, human scores first.

    Items are prompts; those in the training data of any of these versions are left out for all. An item's
    value is the mean of its outputs and reviews. Intervals are Student's over items, or over groups.
    """
    trained = trained_versions(dataset)
    numbers = [each.version.number for each in trained]
    if len(trained) < 2:
        return DatasetProgress(dataset, trained, [], [], [])
    campaigns = _campaigns(dataset)
    hidden = [each for each in campaigns if is_reviewing_blind(each, reader)]
    seen = [each.pk for each in campaigns if each not in hidden]
    found = [*_human_measures(dataset, seen, numbers), *_metric_measures(dataset, numbers)]
    prompts = {prompt for _, values in found for by_prompt in values.values() for prompt in by_prompt}
    excluded = trained_on([each.version for each in trained], prompts)
    groups = _groups(dataset, prompts)
    versions = {each.version.number: each.version for each in trained}
    rows = []
    for description, values in found:
        kept = {
            number: {prompt: value for prompt, value in of.items() if prompt not in excluded}
            for number, of in sorted(values.items())
        }
        if (row := _progress_row(description, kept, versions, groups)) is not None:
            rows.append(row)
    return DatasetProgress(dataset, trained, rows, seen, hidden)


class _MeasureDescription(NamedTuple):
    key: str
    label: str
    source: str
    lower_is_better: bool | None
    is_share: bool
    ends: tuple[float, float] | None = None
    step: float = 0.0

    @property
    def span(self) -> float | None:
        return None if self.ends is None else self.ends[1] - self.ends[0]


def _campaigns(dataset: Dataset) -> list[Campaign]:
    """Campaigns that rate models trained on the dataset."""
    campaigns = (
        Campaign.objects.filter(
            project=dataset.project_id,
            candidates__model_version__trained_by__dataset_version__dataset=dataset,
            picked_because="",
        )
        .exclude(state=CampaignState.DRAFT)
        .select_related("project", "rubric_version__rubric")
        .distinct()
        .order_by("-pk")
    )
    return [campaign for campaign in campaigns if not campaign.compares]


def _human_measures(
    dataset: Dataset, campaigns: Sequence[int], numbers: Sequence[int]
) -> Iterator[tuple[_MeasureDescription, Values]]:
    """Each criterion by key and scale, with means, or shares of counted answers."""
    reviews = Review.objects.filter(
        of_reviewer_type(dataset.project),
        campaign__in=campaigns,
        purpose=Purpose.REVIEW,
        item_output__output__candidate__trained_by__dataset_version__dataset=dataset,
        item_output__output__candidate__trained_by__dataset_version__number__in=numbers,
    )
    output = "review__item_output__output__"
    counted = (
        Score.objects.filter(review__in=reviews, value__isnull=False)
        .exclude(**{f"{output}example__split": Split.TRAIN})
        .order_by()
        .values_list("criterion", f"{output}{_VERSION_OF_OUTPUT}", f"{output}{_PROMPT_OF_OUTPUT}", "value")
        .annotate(Count("pk"))
    )
    criteria = {
        criterion.pk: criterion
        for criterion in Criterion.objects.filter(version__campaigns__in=campaigns).distinct()
    }
    sums: dict[tuple[Any, ...], dict[int, dict[str, list[float]]]] = {}
    named: dict[tuple[Any, ...], Criterion] = {}
    for criterion_id, number, prompt, level, count in counted:
        criterion = criteria[criterion_id]
        scale = (
            criterion.key,
            criterion.kind,
            criterion.minimum,
            criterion.maximum,
            criterion.steps_per_point,
        )
        named.setdefault(scale, criterion)
        value = _value(criterion, level)
        of_prompt = sums.setdefault(scale, {}).setdefault(number, {}).setdefault(prompt, [0.0, 0])
        of_prompt[0] += value * count
        of_prompt[1] += count
    for scale in sorted(sums, key=lambda each: named[each].position):
        criterion = named[scale]
        description = _MeasureDescription(
            f"people-{criterion.key}",
            criterion.name,
            criterion.axis_label,
            criterion.is_less_better,
            not criterion.rules.has_mean,
            criterion.rules.range,
            step_between_levels(criterion),
        )
        yield (
            description,
            {
                number: {prompt: total / count for prompt, (total, count) in by_prompt.items()}
                for number, by_prompt in sums[scale].items()
            },
        )


def _value(criterion: Criterion, level: int) -> float:
    if criterion.rules.has_mean:
        return float(criterion.rules.number(level))
    return float(level in criterion.counted_levels)


def _metric_measures(
    dataset: Dataset, numbers: Sequence[int]
) -> Iterator[tuple[_MeasureDescription, Values]]:
    results: QuerySet[MetricResult] = MetricResult.objects.filter(
        metric__in=[LABEL, *COMPARED_METRICS],
        value__isnull=False,
        output__candidate__trained_by__dataset_version__dataset=dataset,
        output__candidate__trained_by__dataset_version__number__in=numbers,
    ).exclude(output__example__split=Split.TRAIN)
    means = (
        results.order_by()
        .values_list("metric", f"output__{_VERSION_OF_OUTPUT}", f"output__{_PROMPT_OF_OUTPUT}")
        .annotate(Avg("value"))
    )
    found: dict[str, dict[int, dict[str, float]]] = {}
    for metric, number, prompt, value in means:
        found.setdefault(metric, {}).setdefault(number, {})[prompt] = value
    if LABEL in found:
        yield _MeasureDescription(LABEL, "Label accuracy", "automatic", False, True), found[LABEL]
    for name, metric in COMPARED_METRICS.items():
        if name in found:
            better = {"lower": True, "higher": False}.get(metric.better)
            yield _MeasureDescription(name, metric.label, "automatic", better, False), found[name]


def trained_on(versions: Sequence[DatasetVersion], prompts: Iterable[str]) -> set[str]:
    """Hashes of those prompts that are in a training row of one of the versions."""
    rows = Example.objects.filter(version__in=versions, split=Split.TRAIN, prompt_hash__in=list(prompts))
    return set(rows.values_list("prompt_hash", flat=True))


def _groups(dataset: Dataset, prompts: Iterable[str]) -> dict[str, str]:
    rows = Example.objects.filter(version__dataset__project=dataset.project_id, prompt_hash__in=list(prompts))
    named = rows.exclude(group_key="").order_by().values_list("prompt_hash").annotate(Max("group_key"))
    return dict(named)


def _progress_row(
    description: _MeasureDescription,
    values: Mapping[int, Mapping[str, float]],
    versions: Mapping[int, DatasetVersion],
    groups: Mapping[str, str],
) -> ProgressRow | None:
    """The row of one measure; None if fewer than two versions answered the same items."""
    numbers = [number for number in values if values[number]]
    shared = _shared_prompts(values, numbers)
    while len(numbers) > 2 and len(shared) < FEWEST_SHARED:
        numbers = numbers[1:]
        shared = _shared_prompts(values, numbers)
    if len(numbers) < 2 or not shared:
        return None
    steps = []
    for before, number in zip([None, *numbers], numbers, strict=False):
        now = {prompt: values[number][prompt] for prompt in shared}
        change = None
        if before is not None:
            change = mean_difference(
                _ratings(now, groups),
                _ratings({prompt: values[before][prompt] for prompt in shared}, groups),
                population=Population.PANEL,
                span=description.span,
                step=description.step,
            ).difference
        others = len(values[number]) - len(shared)
        steps.append(
            ProgressStep(
                versions[number],
                mean_over_items(_ratings(now, groups), bounds=description.ends),
                change,
                others,
            )
        )
    left_out = [versions[number] for number in values if number not in numbers]
    return ProgressRow(
        description.key,
        description.label,
        description.source,
        description.lower_is_better,
        description.is_share,
        len(shared),
        steps,
        left_out,
    )


def _shared_prompts(values: Mapping[int, Mapping[str, float]], numbers: Sequence[int]) -> list[str]:
    if not numbers:
        return []
    return sorted(set.intersection(*(set(values[number]) for number in numbers)))


def _ratings(values: Mapping[str, float], groups: Mapping[str, str]) -> Ratings:
    prompts = list(values)
    of: dict[Hashable, Hashable] = {prompt: groups[prompt] for prompt in prompts if prompt in groups}
    return Ratings.from_columns(prompts, [0] * len(prompts), list(values.values()), groups=of)
