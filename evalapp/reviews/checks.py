"""Each reviewer's results on gold items and hidden repeats, with the items behind them. For managers only."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evalapp.campaigns.models import Campaign, CampaignReviewer, Purpose
from evalapp.measure import Measure
from evalapp.reviews.models import Review, Score
from evalapp.stats.proportions import wilson


class GoldMiss(NamedTuple):
    """An answer that differs from the known one by more than the tolerance; ``given`` may be N/A."""

    item_id: int
    row_number: int
    criterion: str
    given: str
    known: str


class SelfDifference(NamedTuple):
    """Two different answers of one person to the same question about the same output."""

    item_id: int
    row_number: int
    criterion: str
    first: str
    second: str


@dataclass(frozen=True)
class GoldChecks:
    """One reviewer's results on gold. ``golds``: for each answer in order, whether it was right."""

    campaign_reviewer: CampaignReviewer
    golds: Sequence[bool] = ()

    @property
    def hits(self) -> int:
        return sum(self.golds)

    @property
    def answered(self) -> int:
        return len(self.golds)

    @property
    def accuracy(self) -> Measure:
        return wilson(self.hits, self.answered, name="gold-accuracy")


@dataclass(frozen=True)
class ReviewerChecks(GoldChecks):
    """``close`` of ``compared`` repeated answers differ by at most one level, ``equal`` are the same; for
    yes/no and categories only equal answers are close.
    """

    misses: Sequence[GoldMiss] = ()
    compared: int = 0
    equal: int = 0
    close: int = 0
    differences: Sequence[SelfDifference] = ()

    @property
    def close_words(self) -> str:
        return "The same score or one level off,"

    @property
    def consistency(self) -> Measure:
        """Share of repeated questions with the same answer."""
        return wilson(self.equal, self.compared, name="repeat-consistency")

    @property
    def closeness(self) -> Measure:
        """Share of repeated questions with answers within one level."""
        return wilson(self.close, self.compared, name="repeat-closeness")


def checks_by_reviewer(campaign: Campaign) -> list[ReviewerChecks]:
    """Results of all reviewers, in the order of the campaign's reviewers; a constant number of queries."""
    gold, repeats = _gold_results(campaign), _repeat_results(campaign)
    found = []
    for campaign_reviewer in campaign.reviewers.select_related("user").order_by("pk"):
        golds, misses = gold.get(campaign_reviewer.user_id, ([], []))
        pairs = repeats.get(campaign_reviewer.user_id, [])
        found.append(
            ReviewerChecks(
                campaign_reviewer=campaign_reviewer,
                golds=golds,
                misses=misses,
                compared=len(pairs),
                equal=sum(equal for equal, _, _ in pairs),
                close=sum(close for _, close, _ in pairs),
                differences=[difference for equal, _, difference in pairs if not equal],
            )
        )
    return found


def _gold_results(campaign: Campaign) -> dict[int, tuple[list[bool], list[GoldMiss]]]:
    known: dict[tuple[int, int], dict[int | None, tuple[int, int]]] = defaultdict(dict)
    for answer in campaign.gold_answers.all():
        known[answer.example_id, answer.criterion_id][answer.candidate_id] = (answer.value, answer.tolerance)
    scores = (
        Score.objects.filter(review__campaign=campaign, review__purpose=Purpose.GOLD)
        .select_related("criterion", "review__item_output__item__example", "review__item_output__candidate")
        .order_by("review_id", "criterion__position")
    )
    golds: dict[int, list[bool]] = defaultdict(list)
    misses: dict[int, list[GoldMiss]] = defaultdict(list)
    for score in scores:
        entry = score.review.rated
        answers = known.get((entry.item.example_id, score.criterion_id), {})
        # A known answer for this candidate takes precedence over one for all candidates.
        right = answers.get(entry.candidate.model_version_id, answers.get(None))
        if right is None:
            continue
        value, tolerance = right
        reviewer = score.review.reviewer_id
        is_hit = (
            score.value is not None
            and abs(score.value - value) <= tolerance * score.criterion.steps_per_point
        )
        golds[reviewer].append(is_hit)
        if is_hit:
            continue
        words = score.criterion.level_words(value)
        allowed = f"{words} ± {tolerance}" if tolerance else words
        misses[reviewer].append(
            GoldMiss(entry.item_id, entry.item.example.row_number, score.criterion.name, score.words, allowed)
        )
    return {reviewer: (given, misses[reviewer]) for reviewer, given in golds.items()}


def _repeat_results(campaign: Campaign) -> dict[int, list[tuple[bool, bool, SelfDifference]]]:
    repeats = list(
        Review.objects.filter(campaign=campaign, purpose=Purpose.REPEAT)
        .select_related("item_output__item__example")
        .prefetch_related("scores__criterion")
        .order_by("pk")
    )
    firsts = {
        (first.reviewer_id, first.item_output_id): {score.criterion_id: score for score in first.scores.all()}
        for first in Review.objects.filter(
            campaign=campaign,
            purpose=Purpose.REVIEW,
            item_output__in=[repeat.item_output_id for repeat in repeats],
        ).prefetch_related("scores__criterion")
    }
    pairs: dict[int, list[tuple[bool, bool, SelfDifference]]] = defaultdict(list)
    for repeat in repeats:
        before = firsts.get((repeat.reviewer_id, repeat.item_output_id), {})
        item = repeat.rated.item
        for score in repeat.scores.all():
            first = before.get(score.criterion_id)
            if first is None:
                continue
            equal = first.value == score.value
            is_near = (
                score.criterion.rules.has_mean
                and first.value is not None
                and score.value is not None
                and abs(first.value - score.value) <= score.criterion.steps_per_point
            )
            difference = SelfDifference(
                item.pk, item.example.row_number, score.criterion.name, first.words, score.words
            )
            pairs[repeat.reviewer_id].append((equal, equal or is_near, difference))
    return pairs
