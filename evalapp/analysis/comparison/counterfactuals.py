"""Counterfactual fairness: how each candidate's scores change between a row and its variants."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from evalapp.analysis.comparison.candidates import CandidateRow, Comparison
from evalapp.analysis.comparison.differences import (
    CriterionDifference,
    adjusted,
    compared_ratings,
    difference_of,
)
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.counterfactual_items import (
    LEAST_PAIRS,
    CounterfactualItems,
    VariantName,
    counterfactual_items,
)
from evalapp.analysis.scores.filters import FIELD
from evalapp.analysis.scores.finder_campaign import why_no_means
from evalapp.datasets.counterfactuals.variants import PAIR, VARIANT
from evalapp.rubrics.models import Criterion
from evalapp.stats.counterfactual_pairs import PairSides, sides_of_pairs


class LargestLoss(NamedTuple):
    """The pair in which the variant lost most: its name in the metadata, and the loss."""

    pair: str
    difference: float

    @property
    def query(self) -> str:
        """The URL filter of the pair."""
        return urlencode({f"{FIELD}{PAIR}": self.pair})


class CounterfactualDifference(NamedTuple):
    """One candidate on one criterion: ``pair`` is variant minus original over the pairs, adjusted over all
    variants and criteria of the candidate. ``largest_loss``: None if no variant scored lower.
    """

    perturbation: str
    value: str
    pair: CriterionDifference
    largest_loss: LargestLoss | None

    @property
    def name(self) -> str:
        return str(VariantName(self.perturbation, self.value))

    @property
    def query(self) -> str:
        """The URL filter of the variants."""
        return urlencode({f"{FIELD}{VARIANT}": self.value})


class CounterfactualCheck(NamedTuple):
    """``differences``: worst first. ``left_out``: variants with fewer than ten pairs."""

    differences: list[CounterfactualDifference]
    left_out: list[str]

    @property
    def has_pairs(self) -> bool:
        return bool(self.differences or self.left_out)

    @property
    def worst(self) -> CounterfactualDifference | None:
        """The worst difference that is significantly worse; None without one."""
        return next((each for each in self.differences if each.pair.verdict == "worse"), None)

    def worst_of(self, row: CandidateRow) -> CounterfactualDifference | None:
        """As `worst`, of one candidate."""
        return next(
            (
                each
                for each in self.differences
                if each.pair.verdict == "worse" and each.pair.challenger.candidate.pk == row.candidate.pk
            ),
            None,
        )


NOTHING = CounterfactualCheck([], [])


def check_counterfactuals(scores: CampaignScores, comparison: Comparison) -> CounterfactualCheck:
    """Every candidate on every criterion with a mean or with undesired answers, for every variant with at
    least ten pairs. Empty if the items were picked for their scores, or have no pairs.
    """
    if why_no_means(scores) or not scores.answers:
        return NOTHING
    items = counterfactual_items(scores.campaign)
    found: list[CounterfactualDifference] = []
    for row in comparison.rows:
        found += differences_of_candidate(scores, row, items)
    return CounterfactualCheck(sorted(found, key=_worst_first), [str(each) for each in items.left_out])


def differences_of_candidate(
    scores: CampaignScores, row: CandidateRow, items: CounterfactualItems
) -> list[CounterfactualDifference]:
    """Differences of all variants and criteria, with Holm's adjustment over them."""
    tested = []
    for criterion in _criteria(scores):
        for name, sides in _sides_by_variant(scores, criterion, row, items).items():
            difference = difference_of(scores, criterion, *sides)
            if difference.difference.n >= LEAST_PAIRS:
                tested.append((name, criterion, sides, difference))
    p_values = adjusted([difference.p for *_, difference in tested])
    return [
        CounterfactualDifference(
            name.perturbation,
            name.value,
            CriterionDifference(criterion, row, difference, p),
            _largest_loss(sides, criterion),
        )
        for (name, criterion, sides, difference), p in zip(tested, p_values, strict=True)
    ]


def _criteria(scores: CampaignScores) -> list[Criterion]:
    return [*scores.scales, *(each for each in scores.criteria if each not in scores.scales
                              and each.counted_levels)]  # fmt: skip


def _sides_by_variant(
    scores: CampaignScores, criterion: Criterion, row: CandidateRow, items: CounterfactualItems
) -> Mapping[VariantName, PairSides]:
    """For each tested variant, the candidate's scores of the variants and of the originals."""
    ratings = compared_ratings(scores, criterion, row.candidate)
    return {
        name: sides_of_pairs(
            ratings, variants=items.variants[name], originals=items.originals, population=scores.population
        )
        for name in items.tested
    }


def _largest_loss(sides: PairSides, criterion: Criterion) -> LargestLoss | None:
    sign = -1 if criterion.is_less_better else 1
    gains = [(sign * change, str(pair), change) for pair, change in sides.item_differences().items()]
    gain, pair, change = min(gains, key=lambda each: (each[0], len(each[1]), each[1]))
    return LargestLoss(pair, change) if gain < 0 else None


def _worst_first(found: CounterfactualDifference) -> tuple[float, str, str, int]:
    pair = found.pair
    return pair.worst_first, found.name, pair.criterion.key, pair.challenger.candidate.pk
