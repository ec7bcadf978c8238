"""Each reviewer's results on gold and hidden repeats in campaigns that compare outputs. For managers only.

A repeat shows the outputs in another arrangement, a pair the other way round. So a reviewer who prefers an
output chooses the other side the second time, unlike one who prefers a side.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evalapp.campaigns.models import Campaign, ItemOutput, Method, Purpose
from evalapp.measure import Measure
from evalapp.reviews.checks import GoldChecks, ReviewerChecks, checks_by_reviewer
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.models import Choice, GoldPreference, KnownOutcome
from evalapp.reviews.preferences.tasks import preference_of, preference_words
from evalapp.stats.proportions import wilson
from evalapp.stats.repeats import mean_tau, order_tau

# One swapped pair of neighbours in a ranking, the counterpart of one level's difference on a scale.
_ONE_PAIR = 1


class GoldMiss(NamedTuple):
    """A preference on a gold item that differs from the known one."""

    item_id: int
    row_number: int
    given: str
    known: str


class Repeat(NamedTuple):
    """Two preferences of one person on the same comparison.

    ``keeps_side``: whether the second time the same position was chosen, or all ranks went to the same
    positions, although other outputs stood there; None if that cannot be determined. ``tau``: of rankings,
    between the two orders of the outputs.
    """

    item_id: int
    row_number: int
    first: str
    second: str
    is_equal: bool
    is_close: bool
    keeps_side: bool | None
    tau: float | None


@dataclass(frozen=True)
class ComparisonChecks(GoldChecks):
    misses: Sequence[GoldMiss] = ()
    repeats: Sequence[Repeat] = ()
    is_ranking: bool = False

    @property
    def compared(self) -> int:
        return len(self.repeats)

    @property
    def equal(self) -> int:
        return sum(repeat.is_equal for repeat in self.repeats)

    @property
    def close(self) -> int:
        """The number of repeats with the same preference; for rankings also with one swapped pair."""
        return sum(repeat.is_close for repeat in self.repeats)

    @property
    def close_words(self) -> str:
        return "The same order, or one pair swapped," if self.is_ranking else "The same preference"

    @property
    def consistency(self) -> Measure:
        """Share of repeats with the same preference."""
        return wilson(self.equal, self.compared, name="repeat-consistency")

    @property
    def tau(self) -> Measure:
        """The mean rank correlation of both orders, for rankings."""
        return mean_tau([repeat.tau for repeat in self.repeats if repeat.tau is not None])

    @property
    def sides_compared(self) -> int:
        return sum(repeat.keeps_side is not None for repeat in self.repeats)

    @property
    def sides_kept(self) -> int:
        return sum(repeat.keeps_side is True for repeat in self.repeats)

    @property
    def side_share(self) -> Measure:
        """Share of repeats in which the reviewer kept the position instead of the output."""
        return wilson(self.sides_kept, self.sides_compared, name="repeat-kept-side")

    @property
    def differences(self) -> list[Repeat]:
        return [repeat for repeat in self.repeats if not repeat.is_equal]


def checks_of(campaign: Campaign) -> Sequence[ReviewerChecks | ComparisonChecks]:
    """Results of all reviewers, for ratings or comparisons."""
    return comparison_checks(campaign) if campaign.compares else checks_by_reviewer(campaign)


def comparison_checks(campaign: Campaign) -> list[ComparisonChecks]:
    """Results of all reviewers, in the order of the campaign's reviewers; a constant number of queries."""
    names = candidate_names(campaign)
    golds, repeats = _gold_results(campaign, names), _repeat_results(campaign, names)
    found = []
    for campaign_reviewer in campaign.reviewers.select_related("user").order_by("pk"):
        results = golds.get(campaign_reviewer.user_id, [])
        found.append(
            ComparisonChecks(
                campaign_reviewer=campaign_reviewer,
                golds=[miss is None for miss in results],
                misses=[miss for miss in results if miss is not None],
                repeats=repeats.get(campaign_reviewer.user_id, []),
                is_ranking=campaign.method == Method.RANKING,
            )
        )
    return found


def candidate_names(campaign: Campaign) -> dict[int, str]:
    """Labels by model version id, for people who may see the candidates."""
    candidates = campaign.candidates.select_related("model_version")
    return {each.model_version_id: each.model_version.label for each in candidates}


def preference_by_name(preference: PreferenceAnswers, names: Sequence[str]) -> str:
    """A preference with the outputs' names in the order shown, A first: "Base is better", "Base › Tuned"."""
    if preference.choice in (Choice.A, Choice.B):
        return f"{names[0 if preference.choice == Choice.A else 1]} is better"
    return preference_words(preference, names)


def _reviews_with_preferences(campaign: Campaign, purpose: str) -> list[Review]:
    stored = campaign.reviews.filter(purpose=purpose)
    return list(stored.select_related("comparison__item__example", "preference").order_by("pk"))


def _model_versions_of_outputs(reviews: Sequence[Review]) -> dict[int, int]:
    """Model version ids by ItemOutput id."""
    outputs = {output for review in reviews for output in review.preference.outputs}
    entries = ItemOutput.objects.filter(pk__in=outputs)
    return dict(entries.values_list("pk", "candidate__model_version_id"))


def _gold_results(campaign: Campaign, names: Mapping[int, str]) -> dict[int, list[GoldMiss | None]]:
    """By reviewer: results on gold preferences in order of submission; None for a correct one."""
    known: dict[tuple[int, frozenset[int]], GoldPreference] = {}
    for preference in campaign.gold_preferences.select_related("candidate", "against"):
        pair = (
            frozenset() if preference.against_id is None else {preference.candidate_id, preference.against_id}
        )
        known[preference.example_id, frozenset(pair)] = preference
    reviews = _reviews_with_preferences(campaign, Purpose.GOLD)
    owners = _model_versions_of_outputs(reviews)
    results: dict[int, list[GoldMiss | None]] = defaultdict(list)
    for review in reviews:
        item = review.compared.item
        shown = [owners[output] for output in review.preference.outputs]
        right = known.get(
            (item.example_id, frozenset(shown) if review.preference.ranks is None else frozenset())
        )
        if right is None:
            continue
        miss = None
        if not is_right(review, shown, right):
            words = preference_by_name(preference_of(review), [names[each] for each in shown])
            miss = GoldMiss(item.pk, item.example.row_number, words, right.words)
        results[review.reviewer_id].append(miss)
    return results


def is_right(review: Review, shown: Sequence[int], known: GoldPreference) -> bool:
    """Whether a preference is the known one, or within its tolerance; ``shown``: the outputs' model versions,
    A first.
    """
    if review.preference.ranks is not None:
        return shown[review.preference.ranks.index(1)] == known.candidate_id
    if known.outcome != KnownOutcome.BETTER:
        return review.preference.choice == known.outcome
    if review.preference.choice == Choice.TIE:
        return known.admits_tie
    sides = (Choice.A, Choice.B)
    return (
        review.preference.choice in sides
        and shown[sides.index(Choice(review.preference.choice))] == known.candidate_id
    )


def _repeat_results(campaign: Campaign, names: Mapping[int, str]) -> dict[int, list[Repeat]]:
    repeats = _reviews_with_preferences(campaign, Purpose.REPEAT)
    owners = _model_versions_of_outputs(repeats)
    comparisons = [repeat.comparison_id for repeat in repeats]
    firsts = {
        (first.reviewer_id, first.comparison_id): first
        for first in campaign.reviews.filter(
            purpose=Purpose.REVIEW, comparison__in=comparisons
        ).select_related("preference")
    }
    results: dict[int, list[Repeat]] = defaultdict(list)
    for repeat in repeats:
        first = firsts.get((repeat.reviewer_id, repeat.comparison_id))
        if first is None:
            continue
        item = repeat.compared.item
        words = (
            preference_by_name(
                preference_of(each), [names[owners[output]] for output in each.preference.outputs]
            )
            for each in (first, repeat)
        )
        results[repeat.reviewer_id].append(_repeat(first, repeat, item.pk, item.example.row_number, *words))
    return results


def _repeat(first: Review, repeat: Review, item_id: int, row_number: int, *words: str) -> Repeat:
    """The comparison of both preferences; ``words``: each in words."""
    before, now = (
        preference_of(first).turned(first.preference.outputs, repeat.preference.outputs),
        preference_of(repeat),
    )
    is_turned = first.preference.outputs != repeat.preference.outputs
    if first.preference.ranks is None or repeat.preference.ranks is None:
        is_equal = before.choice == now.choice
        sides = {first.preference.choice, repeat.preference.choice}
        keeps_side = len(sides) == 1 if is_turned and sides <= {Choice.A, Choice.B} else None
        return Repeat(item_id, row_number, words[0], words[1], is_equal, is_equal, keeps_side, None)
    ranks = [rank for rank in before.ranks or () if rank is not None]
    tau = order_tau(ranks, repeat.preference.ranks)
    pairs = len(ranks) * (len(ranks) - 1) / 2
    apart = round((1 - tau) / 2 * pairs)
    keeps_side = first.preference.ranks == repeat.preference.ranks if is_turned else None
    return Repeat(item_id, row_number, words[0], words[1], apart == 0, apart <= _ONE_PAIR, keeps_side, tau)
