"""Outputs that a metric rates high and people rate low."""

from dataclasses import dataclass

import numpy as np

from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.metrics.metric import MetricDescription
from evalapp.rubrics.models import Criterion

TOP_SHARE = 0.25
LEAST_AGREEING = 2


@dataclass(frozen=True)
class Disagreements:
    """``expected``: the number by chance, if the metric were unrelated to people's scores."""

    item_output_ids: set[int]
    expected: float

    @property
    def count(self) -> int:
        return len(self.item_output_ids)


@dataclass(frozen=True)
class DisagreementCount:
    """`Disagreements` without the outputs themselves."""

    count: int
    expected: float


def is_poor(criterion: Criterion, level: float) -> bool:
    """Whether a level, or a mean of levels, is at the worse end of a scale."""
    threshold = criterion.rules.poor_level
    return level >= threshold if criterion.lower_is_better else level <= threshold


def poor_words(criterion: Criterion) -> str:
    """The scores at the worse end, as "2 or less"."""
    rules = criterion.rules
    return f"{rules.words(rules.poor_level)} or {'more' if criterion.lower_is_better else 'less'}"


def find_disagreements(
    scores: CampaignScores, criterion: Criterion, metric: MetricDescription
) -> Disagreements:
    """Outputs with the metric in the campaign's best quarter, a mean at or under the low threshold (if lower
    is better, at the highest level), and at least two reviewers who each rate it that low. A metric where
    less is better counts from its low end.
    """
    means = scores.output_means(criterion)
    sign = -1 if metric.better == "lower" else 1
    values = {
        output.item_output_id: sign * output.metrics[metric.name]
        for output in scores.outputs
        if output.item_output_id in means and metric.name in output.metrics
    }
    if len(set(values.values())) < 2:
        # If all values are equal, there is no best quarter.
        return Disagreements(set(), 0.0)
    cut = float(np.quantile(list(values.values()), 1 - TOP_SHARE))
    low_votes: dict[int, int] = {}
    for answer in scores.answers_to(criterion):
        if answer.value is not None and is_poor(criterion, answer.value):
            low_votes[answer.item_output_id] = low_votes.get(answer.item_output_id, 0) + 1
    threshold = criterion.rules.poor_number
    side = -1 if criterion.lower_is_better else 1
    low = {
        item_output_id
        for item_output_id in values
        if side * means[item_output_id] <= side * threshold
        and low_votes.get(item_output_id, 0) >= LEAST_AGREEING
    }
    high = {item_output_id for item_output_id, value in values.items() if value >= cut}
    return Disagreements(low & high, len(low) * len(high) / len(values))
