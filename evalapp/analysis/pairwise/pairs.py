"""Results of preferences: win rates of pairs, Bradley-Terry strengths and the position effect."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

from django.db.models import F, Min

from evalapp.adjudication.models import ComparisonAdjudication
from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.models import ScoreSource
from evalapp.campaigns.models import Campaign, CampaignCandidate, ItemOutput, Method, Purpose
from evalapp.measure import Measure
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.models import Choice
from evalapp.reviews.preferences.pairs import POINTS, pairs_of
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.stats.pair_agreement import preference_alpha, same_preference_share
from evalapp.stats.pairs import (
    PairPreference,
    both_bad_share,
    bradley_terry,
    first_side_share,
    preference_win_rate,
    strength_ranks,
)
from evalapp.stats.populations import Population
from evalapp.stats.rank_intervals import Rank
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import candidate_score

REPLICATES = 500
CHUNK = 5_000


class PreferenceRow(NamedTuple):
    """One review; ``shown``: candidate ids in the order on the screen, A first. ``is_added``: by a reviewer
    added because preferences differed.
    """

    pk: int
    item_id: int
    comparison_id: int
    reviewer_id: int
    shown: tuple[int, ...]
    choice: str
    ranks: tuple[int, ...] | None
    is_simulated: bool
    is_added: bool

    @property
    def best(self) -> int | None:
        """The candidate that alone was put first, if any."""
        if self.ranks is not None:
            return self.shown[self.ranks.index(1)]
        points = POINTS[Choice(self.choice)]
        return None if points in (None, 0.5) else self.shown[0 if points else 1]

    def pairs(self) -> Iterator[tuple[int, int, float | None]]:
        """Every two candidates with the outcome for the one shown first; a ranking gives all pairs."""
        return pairs_of(self.shown, self.choice, self.ranks)


@dataclass(frozen=True)
class Preferences:
    """A campaign's preferences; ``numbers``: each reviewer's pseudonym number."""

    campaign: Campaign
    candidates: list[CampaignCandidate]
    rows: list[PreferenceRow]
    numbers: dict[int, int]

    @property
    def is_simulated(self) -> bool:
        return any(row.is_simulated for row in self.rows)


def load_preferences(
    campaign: Campaign, *, reviewer_type: str = "all", item_id: int | None = None
) -> Preferences:
    """Read a campaign's preferences, or those of one item. ``reviewer_type`` is "all", "human" or
    "simulated".

    Outside a demonstration project simulated ones are never read. Repeats are always left out; gold and
    calibration items too, unless ``item_id`` names one.
    """
    firsts = campaign.reviews.order_by().values_list("reviewer").annotate(first=Min("pk")).order_by("first")
    entries = ItemOutput.objects.filter(item__campaign=campaign)
    stored = campaign.reviews.filter(
        of_reviewer_type(campaign.project, reviewer_type), comparison__isnull=False
    ).order_by("pk")
    if item_id is None:
        stored = stored.filter(purpose=Purpose.REVIEW)
    else:
        entries = entries.filter(item=item_id)
        stored = stored.filter(comparison__item=item_id, purpose=F("comparison__item__purpose"))
    owner = dict(entries.values_list("pk", "candidate").iterator(CHUNK))
    columns = (
        "pk", "comparison__item", "comparison", "reviewer", "preference__outputs", "preference__choice",
        "preference__ranks", "is_simulated", "assignment__is_added",
    )  # fmt: skip
    return Preferences(
        campaign=campaign,
        candidates=list(campaign.candidates.select_related("model_version").order_by("position")),
        rows=[_preference_row(row, owner) for row in stored.values_list(*columns).iterator(CHUNK)],
        numbers={reviewer: number for number, (reviewer, _) in enumerate(firsts, start=1)},
    )


def _preference_row(row: tuple[Any, ...], owner: dict[int, int]) -> PreferenceRow:
    pk, item, comparison, reviewer, outputs, choice, ranks, is_simulated, is_added = row
    shown = tuple(owner[output] for output in outputs)
    given = tuple(ranks) if ranks is not None else None
    return PreferenceRow(pk, item, comparison, reviewer, shown, choice, given, is_simulated, is_added)


@dataclass(frozen=True)
class PairRow:
    """``first`` against ``second``: counts of preferences, and the win rate of ``first``."""

    first: CampaignCandidate
    second: CampaignCandidate
    wins: int
    losses: int
    ties: int
    both_bad: int
    share: Measure
    bad_share: Measure

    @property
    def total(self) -> int:
        return self.wins + self.losses + self.ties + self.both_bad

    @property
    def items(self) -> int:
        """The number of items judged; the win rate leaves out items on which both were only called bad."""
        return self.bad_share.n

    @property
    def is_decided(self) -> bool:
        """Whether the interval excludes an even match."""
        return (
            self.share.low is not None
            and self.share.high is not None
            and not (self.share.low <= 0.5 <= self.share.high)
        )


@dataclass(frozen=True)
class StrengthRow:
    """``rank``: None with fewer than three candidates; ``mean_rank``: for rankings only; ``best``: how often
    it alone was put first.
    """

    candidate: CampaignCandidate
    strength: Measure
    rank: Rank | None
    mean_rank: Measure | None
    best: int


@dataclass(frozen=True)
class PairResults:
    """All results of the page.

    ``first_side``: among preferences for one of two, the share for the answer shown before the other;
    ``first_side_counts``: for it, and for the other. ``adjudicated``: number of adjudicated comparisons.
    ``values``: whether pairs and strengths use adjudications in place of the reviewers' preferences;
    ``preferences``, sides and agreement always use the reviewers'.
    """

    preferences: Preferences
    score_source: ScoreSource
    pairs: list[PairRow]
    strengths: list[StrengthRow]
    first_side: Measure
    first_side_counts: tuple[int, int]
    alpha: Measure
    exact: Measure
    adjudicated: int

    @property
    def is_ranking(self) -> bool:
        return self.preferences.campaign.method == Method.RANKING

    @property
    def has_ranks(self) -> bool:
        return any(row.rank is not None for row in self.strengths)

    @property
    def reviewers(self) -> int:
        return len({row.reviewer_id for row in self.preferences.rows})

    @property
    def items(self) -> int:
        return len({row.item_id for row in self.preferences.rows})

    def as_dict(self) -> dict[str, Any]:
        """The results as plain JSON; candidates by campaign candidate id."""
        return {
            "preferences": len(self.preferences.rows),
            "pairs": [
                {
                    "first": row.first.pk,
                    "second": row.second.pk,
                    "wins": row.wins,
                    "losses": row.losses,
                    "ties": row.ties,
                    "both_bad": row.both_bad,
                    "share": row.share.as_dict(),
                }
                for row in self.pairs
            ],
            "strengths": {str(row.candidate.pk): row.strength.as_dict() for row in self.strengths},
            "first_side": self.first_side.as_dict(),
        }

    @property
    def span(self) -> float:
        """The end of the strengths' common axis."""
        ends = [abs(end) for row in self.strengths for end in (row.strength.low, row.strength.high) if end]
        ends += [abs(row.strength.value) for row in self.strengths if row.strength.value]
        return max([1.0, *ends])

    @property
    def low_end(self) -> float:
        return -self.span


def pair_results(
    preferences: Preferences, *, score_source: ScoreSource = ScoreSource.ORIGINAL
) -> PairResults:
    """Win rates, strengths, position effect and agreement, each with its interval."""
    adjudications = _adjudications_of(preferences)
    counted = (
        _with_adjudications(preferences, adjudications)
        if score_source == ScoreSource.ADJUDICATED
        else preferences
    )
    pairs = pair_preferences(preferences.rows)
    decided = Counter(pair.points for pair in pairs if pair.points in (0.0, 1.0))
    # Preferences of the design, without those added because reviewers differed.
    designed = pair_preferences(row for row in preferences.rows if not row.is_added)
    return PairResults(
        preferences=preferences,
        score_source=score_source,
        pairs=_pair_rows(counted.candidates, pair_preferences(counted.rows)),
        strengths=_strength_rows(counted, pair_preferences(counted.rows)),
        first_side=first_side_share(pairs),
        first_side_counts=(decided[1.0], decided[0.0]),
        alpha=preference_alpha(designed, seed=SEED, replicates=REPLICATES),
        exact=same_preference_share(designed, seed=SEED, replicates=REPLICATES),
        adjudicated=len(adjudications),
    )


def _adjudications_of(preferences: Preferences) -> dict[int, ComparisonAdjudication]:
    """Adjudications of the comparisons with preferences here, by comparison."""
    judged = {row.comparison_id for row in preferences.rows}
    adjudications = preferences.campaign.comparison_adjudications.all()
    return {
        adjudication.comparison_id: adjudication
        for adjudication in adjudications
        if adjudication.comparison_id in judged
    }


def _with_adjudications(
    preferences: Preferences, adjudications: Mapping[int, ComparisonAdjudication]
) -> Preferences:
    """Replace every preference on an adjudicated comparison by the adjudication, so that its weight stays."""
    outputs = {output for adjudication in adjudications.values() for output in adjudication.outputs}
    owner = dict(ItemOutput.objects.filter(pk__in=outputs).values_list("pk", "candidate"))

    def adjudicated(row: PreferenceRow) -> PreferenceRow:
        adjudication = adjudications.get(row.comparison_id)
        if adjudication is None:
            return row
        preference: PreferenceAnswers = adjudication.preference.turned(
            [owner[output] for output in adjudication.outputs], row.shown
        )
        ranks = (
            None if preference.ranks is None else tuple(rank for rank in preference.ranks if rank is not None)
        )
        return row._replace(choice=preference.choice, ranks=ranks)

    return replace(preferences, rows=[adjudicated(row) for row in preferences.rows])


def pair_preferences(rows: Iterable[PreferenceRow]) -> list[PairPreference]:
    """Every two answers of each row, with the one shown first as first."""
    return [
        PairPreference(row.item_id, row.reviewer_id, first, second, points)
        for row in rows
        for first, second, points in row.pairs()
    ]


def _seen_from(pair: PairPreference, first: int) -> PairPreference:
    """The pair from the side of one candidate."""
    if pair.first == first:
        return pair
    points = None if pair.points is None else 1 - pair.points
    return PairPreference(pair.item, pair.reviewer, pair.second, pair.first, points)


def _pair_rows(candidates: Sequence[CampaignCandidate], pairs: Iterable[PairPreference]) -> list[PairRow]:
    by_pair: dict[frozenset[object], list[PairPreference]] = {}
    for pair in pairs:
        by_pair.setdefault(frozenset((pair.first, pair.second)), []).append(pair)
    rows = []
    for first, second in combinations(candidates, 2):
        own = [_seen_from(pair, first.pk) for pair in by_pair.get(frozenset((first.pk, second.pk)), ())]
        if not own:
            continue
        counts = Counter(pair.points for pair in own)
        rows.append(
            PairRow(
                first=first,
                second=second,
                wins=counts[1.0],
                losses=counts[0.0],
                ties=counts[0.5],
                both_bad=counts[None],
                share=preference_win_rate(own),
                bad_share=both_bad_share(own),
            )
        )
    return rows


def _strength_rows(preferences: Preferences, pairs: Sequence[PairPreference]) -> list[StrengthRow]:
    """Strongest first; in the candidates' order without strengths."""
    ids = [candidate.pk for candidate in preferences.candidates]
    strengths = bradley_terry(pairs, ids)
    found = strength_ranks(pairs, ids)
    best = Counter(row.best for row in preferences.rows)
    rows = [
        StrengthRow(
            candidate,
            strengths[candidate.pk],
            found.get(candidate.pk),
            _mean_rank(preferences, candidate.pk),
            best[candidate.pk],
        )
        for candidate in preferences.candidates
    ]
    return sorted(rows, key=lambda row: -(row.strength.value or 0.0))


def _mean_rank(preferences: Preferences, candidate_id: int) -> Measure | None:
    if preferences.campaign.method != Method.RANKING:
        return None
    ranked = [
        (row.item_id, row.reviewer_id, float(row.ranks[row.shown.index(candidate_id)]))
        for row in preferences.rows
        if row.ranks is not None
    ]
    columns = tuple(zip(*ranked, strict=True)) if ranked else ((), (), ())
    return candidate_score(
        Ratings.from_columns(*columns),
        population=Population(preferences.campaign.project.population),
        bounds=(1, len(preferences.candidates)),
    )
