"""How automatic metrics of a run's outputs change between a row and its counterfactual variants; without
reviews.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from evalapp.analysis.comparison.differences import SIGNIFICANT, adjusted
from evalapp.analysis.scores.campaign_scores import SOMEBODY, ReviewedOutput
from evalapp.analysis.scores.counterfactual_items import (
    LEAST_PAIRS,
    CounterfactualItems,
    VariantName,
    pair_items,
)
from evalapp.datasets.counterfactuals.variants import FIELD
from evalapp.datasets.models import Example
from evalapp.measure import Measure
from evalapp.metrics.metric import MetricDescription
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run
from evalapp.stats.counterfactual_pairs import sides_of_pairs
from evalapp.stats.differences import MeanDifference, mean_difference
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings


class MetricChange(NamedTuple):
    """One candidate's change: ``difference`` is variant minus original over the pairs, with Holm's adjustment
    over the candidate's variants and metrics.
    """

    candidate: ModelVersion
    variant: VariantName
    metric: MetricDescription
    difference: MeanDifference
    adjusted_p: float | None

    @property
    def is_significant(self) -> bool:
        return self.adjusted_p is not None and self.adjusted_p < SIGNIFICANT

    @property
    def verdict(self) -> str:
        """The variants' answers are "better", "worse", "different" (for a metric without a direction),
        "undecided" or "untested".
        """
        if self.adjusted_p is None:
            return "untested"
        if not self.is_significant:
            return "undecided"
        if self.metric.better == "none":
            return "different"
        is_higher = (self.difference.difference.value or 0.0) > 0
        return "better" if is_higher == (self.metric.better == "higher") else "worse"

    @property
    def adjusted(self) -> Measure:
        """The difference with an interval that excludes 0 exactly if ``adjusted_p`` is under 5%."""
        p = self.difference.p.value
        if not p or self.adjusted_p is None:
            return self.difference.difference
        return self.difference.at_level(1 - SIGNIFICANT * p / self.adjusted_p)


def counterfactual_examples(run: Run) -> CounterfactualItems:
    """The counterfactual pairs among the examples of the run's rows."""
    marks = Example.objects.filter(
        version=run.dataset_version_id, split__in=run.splits, metadata__has_key=FIELD
    ).values_list("pk", f"metadata__{FIELD}")
    return pair_items(
        (pk, str(mark.get("pair", "")), str(mark.get("perturbation", "")), str(mark.get("variant", "")))
        for pk, mark in marks
        if isinstance(mark, dict)
    )


def metric_changes(
    items: CounterfactualItems,
    outputs: Mapping[int, Sequence[ReviewedOutput]],
    candidates: Sequence[ModelVersion],
    metrics: Sequence[MetricDescription],
    groups: Mapping[Hashable, Hashable],
) -> list[MetricChange]:
    """Changes of every candidate, metric and variant with enough pairs; clearest first."""
    found: list[MetricChange] = []
    for candidate in candidates if items.tested else ():
        tested = [
            MetricChange(candidate, name, metric, difference, None)
            for metric in metrics
            for name in items.tested
            for difference in (_difference(items, name, outputs[candidate.pk], metric, groups),)
            if difference.difference.n >= LEAST_PAIRS
        ]
        p_values = adjusted([each.difference.p for each in tested])
        found += [each._replace(adjusted_p=p) for each, p in zip(tested, p_values, strict=True)]
    return sorted(found, key=_clearest_first)


def _difference(
    items: CounterfactualItems,
    name: VariantName,
    outputs: Sequence[ReviewedOutput],
    metric: MetricDescription,
    groups: Mapping[Hashable, Hashable],
) -> MeanDifference:
    scored = [output for output in outputs if metric.name in output.metrics]
    ratings = Ratings.from_columns(
        [output.item_id for output in scored],
        [SOMEBODY] * len(scored),
        [output.metrics[metric.name] for output in scored],
        groups=groups,
    )
    sides = sides_of_pairs(
        ratings, variants=items.variants[name], originals=items.originals, population=Population.PANEL
    )
    return mean_difference(*sides, population=Population.PANEL)


def _clearest_first(change: MetricChange) -> tuple[float, float, str, str, int]:
    p = change.adjusted_p
    raw = change.difference.p.value
    return (
        2.0 if p is None else p,
        2.0 if raw is None else raw,
        str(change.variant),
        change.metric.name,
        change.candidate.pk,
    )
