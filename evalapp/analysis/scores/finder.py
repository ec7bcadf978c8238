"""The disagreement finder: outputs on which a metric and people disagree, as a filter in a URL."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate
from evalapp.core.errors import MissingError
from evalapp.metrics.metric import MetricDescription
from evalapp.rubrics.models import Criterion

DECILE = 0.1
LEAST_AGREEING = 2
FINDER_PARTS = ("find", "find_is", "find_value", "score_is", "score")
"""The parameters of a URL that `finder_from` reads, besides the criterion, the candidate and the reviewer."""


class MetricSide(StrEnum):
    TOP = "top"
    BOTTOM = "bottom"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"


class ScoreSide(StrEnum):
    AT_MOST = "at_most"
    AT_LEAST = "at_least"


METRIC_SIDES = {
    MetricSide.TOP: "in its highest 10%",
    MetricSide.BOTTOM: "in its lowest 10%",
    MetricSide.AT_LEAST: "at least",
    MetricSide.AT_MOST: "at most",
}
SCORE_SIDES = {ScoreSide.AT_MOST: "at most", ScoreSide.AT_LEAST: "at least"}


@dataclass(frozen=True)
class Finder:
    """The search. ``value``: None for a tenth. ``candidate`` and ``reviewer`` (a pseudonym's number): None
    for any; the reviewer must have given such a score.
    """

    metric: MetricDescription
    side: MetricSide
    value: float | None
    criterion: Criterion
    score_side: ScoreSide
    score: float
    candidate: CampaignCandidate | None = None
    reviewer: int | None = None

    def describe(self) -> str:
        value = "" if self.value is None else f" {self.value:g}"
        return (
            f"{self.metric.label} {METRIC_SIDES[self.side]}{value}, {self.criterion.name}"
            f" {SCORE_SIDES[self.score_side]} {self.score:g} from at least {LEAST_AGREEING} reviewers"
        )


@dataclass(frozen=True)
class FinderResult:
    """``by_metric`` of ``outputs`` meet the metric's condition, ``by_people`` the criterion's. If the two
    were unrelated, ``expected`` would meet both: by_metric × by_people / outputs. ``reason``: why nothing can
    be found.
    """

    item_output_ids: set[int]
    outputs: int
    by_metric: int
    by_people: int
    reason: str = ""

    @property
    def count(self) -> int:
        return len(self.item_output_ids)

    @property
    def tenth(self) -> int:
        """The number of outputs in the highest or lowest tenth if no two values are equal."""
        # Counted from the tenth's limit, a quantile between two of the ordered values.
        return self.outputs - math.ceil(9 * (self.outputs - 1) / 10) if self.outputs else 0

    @property
    def expected(self) -> float:
        return self.by_metric * self.by_people / self.outputs if self.outputs else 0.0


def ties_in_words(wanted: Finder, found: FinderResult) -> str:
    """Explains ties at the limit of a tenth that enlarge it; empty if none do."""
    if wanted.value is not None or found.by_metric <= found.tenth:
        return ""
    label = wanted.metric.label
    if found.by_metric == found.outputs:
        return f"Nine in ten outputs or more have the same {label}, so all count as its {_end(wanted)} 10%."
    return (
        f"10% of {found.outputs:,} outputs would be {found.tenth:,}; {found.by_metric:,} count, because"
        f" outputs with equal values of {label} count together."
    )


def _end(wanted: Finder) -> str:
    return "highest" if wanted.side == MetricSide.TOP else "lowest"


def finder_from(scores: CampaignScores, query: Mapping[str, str]) -> Finder | None:
    """Read a finder from a URL; None if it names no metric. Raises MissingError for an invalid part."""
    if not query.get("find"):
        return None
    metric = scores.metrics.get(query["find"])
    criterion = next((each for each in scores.scales if each.key == query.get("criterion")), None)
    if metric is None or criterion is None:
        raise MissingError("The finder names no metric, or no scale of this campaign. Choose both again.")
    try:
        side = MetricSide(query.get("find_is") or MetricSide.TOP)
        score_side = ScoreSide(query.get("score_is") or ScoreSide.AT_MOST)
        score = float(query.get("score") or criterion.rules.range[0])
        value = float(query.get("find_value") or "nan")
        reviewer = int(query["reviewer"]) if query.get("reviewer") else None
    except ValueError as error:
        raise MissingError(
            "The finder has a value that is not a number or not a side. Choose it again."
        ) from error
    is_tenth = side in (MetricSide.TOP, MetricSide.BOTTOM)
    if not math.isfinite(score):
        raise MissingError("The finder’s score is not on the scale. Choose it again.")
    if not is_tenth and not math.isfinite(value):
        raise MissingError(f"Give a value of {metric.label}, or choose the highest or lowest 10%.")
    named = query.get("candidate")
    candidate = next((each for each in scores.candidates if str(each.pk) == named), None)
    if named and candidate is None:
        raise MissingError("There is no such candidate in this comparison.")
    return Finder(
        metric, side, None if is_tenth else value, criterion, score_side, score, candidate, reviewer
    )


def why_nothing(wanted: Finder, *, is_scored_twice: bool) -> str:
    if not is_scored_twice:
        return f"No output has a score on {wanted.criterion.name} from two reviewers, so nobody can agree."
    return f"{wanted.metric.label} is not computed, or not defined, for any output that two reviewers scored."
