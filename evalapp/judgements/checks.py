"""What gold and hidden repeats say of each reviewer where answers are compared. For managers only.

A repeat has its answers in another arrangement, two of them the other way round. So who keeps to an answer
chooses the other side the second time, and who keeps to a side is told from them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evalapp.campaigns.models import Campaign, ItemOutput, Method, Purpose
from evalapp.core.simulated_mark import marked
from evalapp.judgements.models import Choice, GoldVerdict, Judgement, KnownOutcome
from evalapp.judgements.queries import order_words, verdict_of
from evalapp.judgements.verdicts import Verdict
from evalapp.measure import Measure
from evalapp.reviews.checks import GoldChecks, ReviewerChecks, checks_by_reviewer
from evalapp.stats.proportions import wilson
from evalapp.stats.repeats import mean_tau, order_tau

# One pair of neighbours that changed places, in a ranking: the counterpart of one level off on a scale.
_ONE_PAIR = 1


class GoldMiss(NamedTuple):
    """A verdict on a gold item other than what is known."""

    item_id: int
    row_number: int
    given: str
    known: str


class Repeat(NamedTuple):
    """Two verdicts of one person on the same comparison. ``keeps_side``: the second time the same position
    was chosen, or all ranks went to the same positions, though other answers stood there; None where the
    verdicts cannot tell. ``tau``: of rankings, between the two orders of the answers.
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
        """The same again; of rankings also with one pair the other way round."""
        return sum(repeat.is_close for repeat in self.repeats)

    @property
    def close_words(self) -> str:
        return "The same order again, or one pair turned," if self.is_ranking else "The same verdict again"

    @property
    def consistency(self) -> Measure:
        """Share of repeats with the same verdict."""
        return wilson(self.equal, self.compared, name="repeat-consistency")

    @property
    def tau(self) -> Measure:
        """Of rankings: how alike the two orders are."""
        return mean_tau([repeat.tau for repeat in self.repeats if repeat.tau is not None])

    @property
    def sides_compared(self) -> int:
        return sum(repeat.keeps_side is not None for repeat in self.repeats)

    @property
    def sides_kept(self) -> int:
        return sum(repeat.keeps_side is True for repeat in self.repeats)

    @property
    def side_share(self) -> Measure:
        """Share of repeats in which the position was kept instead of the answer."""
        return wilson(self.sides_kept, self.sides_compared, name="repeat-kept-side")

    @property
    def differences(self) -> list[Repeat]:
        return [repeat for repeat in self.repeats if not repeat.is_equal]


def checks_of(campaign: Campaign) -> Sequence[ReviewerChecks | ComparisonChecks]:
    """Everybody's, whether the campaign rates answers or compares them."""
    return comparison_checks(campaign) if campaign.compares else checks_by_reviewer(campaign)


def comparison_checks(campaign: Campaign) -> list[ComparisonChecks]:
    """Everybody's, in the order of the campaign reviewers; a handful of reads whatever the size of the team."""
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
    """By model version: its label. For those who may see which answer is whose."""
    candidates = campaign.candidates.select_related("model_version")
    return {
        each.model_version_id: marked(each.model_version.label, each.model_version) for each in candidates
    }


def verdict_by_name(verdict: Verdict, names: Sequence[str]) -> str:
    """A verdict with the names of the answers as they stood, A first: "Base is better", "Base › Tuned"."""
    if verdict.choice in (Choice.A, Choice.B):
        return f"{names[0 if verdict.choice == Choice.A else 1]} is better"
    return order_words(verdict, names)


def _judged(campaign: Campaign, purpose: str) -> list[Judgement]:
    stored = Judgement.objects.filter(campaign=campaign, purpose=purpose)
    return list(stored.select_related("comparison__item__example").order_by("pk"))


def _owners(judgements: Sequence[Judgement]) -> dict[int, int]:
    """By ItemOutput: whose it is, a model version."""
    outputs = {output for judgement in judgements for output in judgement.outputs}
    entries = ItemOutput.objects.filter(pk__in=outputs)
    return dict(entries.values_list("pk", "candidate__model_version_id"))


def _gold_results(campaign: Campaign, names: Mapping[int, str]) -> dict[int, list[GoldMiss | None]]:
    """By reviewer: their verdicts of which something is known, in the order given; None is a hit."""
    known: dict[tuple[int, frozenset[int]], GoldVerdict] = {}
    for verdict in campaign.gold_verdicts.select_related("candidate", "against"):
        pair = frozenset() if verdict.against_id is None else {verdict.candidate_id, verdict.against_id}
        known[verdict.example_id, frozenset(pair)] = verdict
    judgements = _judged(campaign, Purpose.GOLD)
    owners = _owners(judgements)
    results: dict[int, list[GoldMiss | None]] = defaultdict(list)
    for judgement in judgements:
        item = judgement.comparison.item
        shown = [owners[output] for output in judgement.outputs]
        right = known.get((item.example_id, frozenset(shown) if judgement.ranks is None else frozenset()))
        if right is None:
            continue
        miss = None
        if not is_right(judgement, shown, right):
            words = verdict_by_name(verdict_of(judgement), [names[each] for each in shown])
            miss = GoldMiss(item.pk, item.example.row_number, words, right.words)
        results[judgement.reviewer_id].append(miss)
    return results


def is_right(judgement: Judgement, shown: Sequence[int], known: GoldVerdict) -> bool:
    """Whether a verdict is the known one, or within its tolerance; ``shown``: whose answers, A first."""
    if judgement.ranks is not None:
        return shown[judgement.ranks.index(1)] == known.candidate_id
    if known.outcome != KnownOutcome.BETTER:
        return judgement.choice == known.outcome
    if judgement.choice == Choice.TIE:
        return known.admits_tie
    sides = (Choice.A, Choice.B)
    return judgement.choice in sides and shown[sides.index(Choice(judgement.choice))] == known.candidate_id


def _repeat_results(campaign: Campaign, names: Mapping[int, str]) -> dict[int, list[Repeat]]:
    repeats = _judged(campaign, Purpose.REPEAT)
    owners = _owners(repeats)
    comparisons = [repeat.comparison_id for repeat in repeats]
    firsts = {
        (first.reviewer_id, first.comparison_id): first
        for first in Judgement.objects.filter(
            campaign=campaign, purpose=Purpose.REVIEW, comparison__in=comparisons
        )
    }
    results: dict[int, list[Repeat]] = defaultdict(list)
    for repeat in repeats:
        first = firsts.get((repeat.reviewer_id, repeat.comparison_id))
        if first is None:
            continue
        item = repeat.comparison.item
        said = (
            verdict_by_name(verdict_of(each), [names[owners[output]] for output in each.outputs])
            for each in (first, repeat)
        )
        results[repeat.reviewer_id].append(told_twice(first, repeat, item.pk, item.example.row_number, *said))
    return results


def told_twice(first: Judgement, repeat: Judgement, item_id: int, row_number: int, *said: str) -> Repeat:
    """The two verdicts held against each other; ``said``: each in words."""
    before, now = verdict_of(first).turned(first.outputs, repeat.outputs), verdict_of(repeat)
    is_turned = first.outputs != repeat.outputs
    if first.ranks is None or repeat.ranks is None:
        is_equal = before.choice == now.choice
        sides = {first.choice, repeat.choice}
        keeps_side = len(sides) == 1 if is_turned and sides <= {Choice.A, Choice.B} else None
        return Repeat(item_id, row_number, said[0], said[1], is_equal, is_equal, keeps_side, None)
    ranks = [rank for rank in before.ranks or () if rank is not None]
    tau = order_tau(ranks, repeat.ranks)
    pairs = len(ranks) * (len(ranks) - 1) / 2
    apart = round((1 - tau) / 2 * pairs)
    keeps_side = first.ranks == repeat.ranks if is_turned else None
    return Repeat(item_id, row_number, said[0], said[1], apart == 0, apart <= _ONE_PAIR, keeps_side, tau)
