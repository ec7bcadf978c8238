"""Agreement by criterion, reviewer and pair, and the levels that reviewers confuse."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from itertools import combinations
from typing import NamedTuple

from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.core.number_format import as_text
from evalapp.measure import Measure, one_reason, signature
from evalapp.reviews.pseudonyms import ReviewerNames
from evalapp.rubrics.limits import MOST_BUTTONS
from evalapp.rubrics.models import Criterion
from evalapp.stats.against_others import AgainstOthers, against_others, mean_kappa
from evalapp.stats.agreement import gwet_ac2, krippendorff_alpha, percent_agreement, quadratic_kappa
from evalapp.stats.coincidences import Coincidences, coincidences
from evalapp.stats.confusion import ConfusedLevels, Confusion, confused_levels, confusion
from evalapp.stats.ratings import EVERY_NOT_APPLICABLE, Ratings
from evalapp.stats.reliability import IccForm, icc

REPLICATES = 500
# With more reviewers the table is left out: it would be unreadable, and each pair is computed while a reader
# waits.
MOST_REVIEWERS = 12
MOST_ITEMS_NAMED = 5
NO_ORDER = "the answers have no order"
NOTHING_SHARED = "the two reviewers share no item"
TOO_FINE = "on a wide scale people cannot tell single points apart"

MEASURES = {
    "alpha": "Alpha",
    "kappa": "Kappa",
    "ac2": "AC2",
    "icc_1": "ICC(1)",
    "icc_2_1": "ICC(2,1)",
    "icc_2_k": "ICC(2,k)",
    "exact": "Exact agreement",
    "within_one": "Within 1",
}
SHARES = ("exact", "within_one")
_FORMS: dict[str, IccForm] = {"icc_1": "1", "icc_2_1": "2,1", "icc_2_k": "2,k"}
ANCHORS = {
    "alpha": "krippendorffs-alpha",
    "kappa": "quadratic-kappa",
    "ac2": "gwets-ac2",
    "icc_1": "intraclass-correlation",
    "icc_2_1": "intraclass-correlation",
    "icc_2_k": "intraclass-correlation",
    "exact": "exact-agreement-within-1",
    "within_one": "exact-agreement-within-1",
}


class CriterionAgreement(NamedTuple):
    """Every measure of the panel on one criterion; ``kappa`` is the mean over its pairs."""

    criterion: Criterion
    measures: AgainstOthers
    scores: int


class ReviewerAgreement(NamedTuple):
    """One reviewer against the others. ``number`` is the pseudonym's, used in URLs."""

    number: int
    name: str
    is_reader: bool
    measures: AgainstOthers


class PairAgreement(NamedTuple):
    """Two reviewers by number, on the items that both scored. ``confusion``: counts of the first reviewer's
    levels by the second's; None for a wide scale, whose table would be unreadable.
    """

    first: int
    second: int
    first_name: str
    second_name: str
    measures: AgainstOthers
    confusion: Confusion | None


class MatrixCell(NamedTuple):
    """``tone`` shades the cell, from 1 (least agreement) to 5; 0 if the measure is undefined."""

    other: int
    other_name: str
    measure: Measure | None
    tone: int


class MatrixRow(NamedTuple):
    number: int
    name: str
    cells: list[MatrixCell]


class LevelsToClarify(NamedTuple):
    """Two neighbouring levels that reviewers confuse, with their level descriptions from the rubric.

    ``lower`` and ``upper`` are level words. ``item_outputs``: the first of the ``splits`` outputs on which
    reviewers split, each as the ids of output, item and candidate.
    """

    found: ConfusedLevels
    lower: str
    upper: str
    lower_description: str
    upper_description: str
    item_outputs: list[tuple[int, int, int]]
    splits: int


class Panel(ABC):
    """A campaign's reviewers compared with one another; ``names``: their displayed names."""

    criteria: list[Criterion]
    names: ReviewerNames

    @abstractmethod
    def overall(self, criterion: Criterion) -> CriterionAgreement:
        """The measures of all reviewers together on one criterion."""

    @abstractmethod
    def reviewers(self, criterion: Criterion) -> list[ReviewerAgreement]:
        """Each reviewer with a score on the criterion against the others, by number."""

    @abstractmethod
    def people(self, criterion: Criterion) -> list[int]:
        """Reviewers with a score on the criterion, in order of number."""

    @abstractmethod
    def pair(self, criterion: Criterion, pair: tuple[int, int]) -> PairAgreement:
        """Every measure of two reviewers on the items that both scored."""

    @abstractmethod
    def clarify(self, criterion: Criterion) -> list[LevelsToClarify]:
        """Neighbouring levels that reviewers cannot be shown to tell apart, with most split pairs first.

        Only for scales of up to 11 levels: on a wider one a single point means little.
        """

    def pairs(self, criterion: Criterion) -> list[tuple[int, int]]:
        """All pairs of reviewers with a score on the criterion, in order of number."""
        return list(combinations(self.people(criterion), 2))

    def prepare(self, criterion: Criterion, pairs: Iterable[tuple[int, int]]) -> None:  # noqa: B027 - a wish
        """Read what these pairs need in one query, if the panel is stored."""

    def measured(self, criterion: Criterion, pair: tuple[int, int], measure: str) -> Measure:
        """One measure of a pair, by its key in `MEASURES`."""
        found: Measure = getattr(self.pair(criterion, pair).measures, measure)
        return found

    def matrix(self, criterion: Criterion, measure: str) -> list[MatrixRow]:
        """One measure of every pair as a symmetric square table; empty for fewer than two reviewers."""
        found: dict[tuple[int, int], Measure] = {}
        pairs = self.pairs(criterion)
        self.prepare(criterion, pairs)
        for pair in pairs:
            found[pair] = found[pair[::-1]] = self.measured(criterion, pair, measure)
        people = self.people(criterion) if found else []
        return [
            MatrixRow(
                self.names.numbers[one],
                self.names.of(one),
                [
                    MatrixCell(
                        self.names.numbers[other],
                        self.names.of(other),
                        found.get((one, other)),
                        _tone(found.get((one, other)), measure),
                    )
                    for other in people
                ],
            )
            for one in people
        ]


class ComputedPanel(Panel):
    """A panel computed from the scores on demand."""

    def __init__(self, scores: CampaignScores, names: ReviewerNames) -> None:
        self.scores, self.names = scores, names
        self.criteria = scores.criteria
        self._ratings: dict[int, Ratings] = {}
        self._together: dict[int, Coincidences] = {}

    def ratings(self, criterion: Criterion) -> Ratings:
        """Scores of the base overlap, without those requested because reviewers differed."""
        if criterion.pk not in self._ratings:
            self._ratings[criterion.pk] = self.scores.ratings(criterion, as_designed=True)
        return self._ratings[criterion.pk]

    def overall(self, criterion: Criterion) -> CriterionAgreement:
        ratings = self.ratings(criterion)
        return CriterionAgreement(criterion, _of_panel(ratings, criterion), len(ratings))

    def people(self, criterion: Criterion) -> list[int]:
        if self.scores.names_are_positions:
            return []
        present = set(self.ratings(criterion).reviewers)
        return [each for each in self.scores.reviewer_ids if each in present]

    def reviewers(
        self, criterion: Criterion, step: Callable[[], None] = lambda: None
    ) -> list[ReviewerAgreement]:
        """Each reviewer with a score on the criterion against the others; ``step`` is called before each."""
        ratings = self.ratings(criterion)
        rows = []
        for person in self.people(criterion):
            step()
            measures = against_others(
                ratings,
                person,
                levels=[float(level) for level in criterion.levels],
                is_ordered=_is_ordered(criterion),
                seed=SEED,
                replicates=REPLICATES,
            )
            if criterion.rules.is_typed:
                measures = measures._replace(within_one=_undefined("percent-agreement-within-1", criterion))
            name, is_reader = self.names.of(person), person == self.names.reader_id
            rows.append(ReviewerAgreement(self.names.numbers[person], name, is_reader, measures))
        return rows

    def pair(self, criterion: Criterion, pair: tuple[int, int]) -> PairAgreement:
        return pair_agreement(self._shared(criterion, pair), criterion, pair, self.names)

    def measured(self, criterion: Criterion, pair: tuple[int, int], measure: str) -> Measure:
        return _one(self._shared(criterion, pair), criterion, measure, pair)

    def clarify(self, criterion: Criterion) -> list[LevelsToClarify]:
        if not criterion.rules.has_mean or not _has_steps(criterion):
            return []
        levels = [float(level) for level in criterion.levels]
        confused = [
            each for each in confused_levels(self.ratings(criterion), levels=levels) if each.is_confused
        ]
        shown = {int(str(item)) for each in confused for item in each.items[:MOST_ITEMS_NAMED]}
        outputs = {
            output.item_output_id: (output.item_id, output.candidate_id)
            for output in self.scores.outputs
            if output.item_output_id in shown
        }
        return [
            LevelsToClarify(
                each._replace(items=()),
                criterion.level_words(int(each.lower)),
                criterion.level_words(int(each.upper)),
                str(criterion.level_descriptions.get(str(int(each.lower)), "")),
                str(criterion.level_descriptions.get(str(int(each.upper)), "")),
                [(int(str(item)), *outputs[int(str(item))]) for item in each.items[:MOST_ITEMS_NAMED]],
                len(each.items),
            )
            for each in confused
        ]

    def _shared(self, criterion: Criterion, pair: tuple[int, int]) -> Ratings:
        """The scores of two reviewers on the items that both scored."""
        if criterion.pk not in self._together:
            self._together[criterion.pk] = coincidences(self.ratings(criterion))
        return self._together[criterion.pk].ratings_of(*pair)


def pair_agreement(
    ratings: Ratings, criterion: Criterion, pair: tuple[int, int], names: ReviewerNames
) -> PairAgreement:
    """Every measure of two reviewers, from their ``ratings`` of the items that both scored."""
    counts = None
    if _has_steps(criterion):
        counts = confusion(ratings, *pair, levels=[float(level) for level in criterion.levels])
    first, second = pair
    return PairAgreement(
        *(names.numbers[first], names.numbers[second]),
        *(names.of(first), names.of(second)),
        _of_panel(ratings, criterion, pair),
        counts,
    )


def reason_of(measures: AgainstOthers) -> str:
    """The common reason why all measures are undefined; "" otherwise. Ignores reasons that do not depend on
    the reviewers: answers without an order, a scale without steps.
    """
    return one_reason(measures, but=(NO_ORDER, TOO_FINE))


def why_no_pair(panel: Panel, criterion: Criterion) -> str:
    """Why there are no two reviewers to compare, as a sentence without its end."""
    if reason_of(panel.overall(criterion).measures) == EVERY_NOT_APPLICABLE:
        return f"Every answer to {criterion.name} is N/A"
    return f"No two reviewers have scored {criterion.name} yet"


def matrix_in_words(rows: list[MatrixRow], measure: str) -> str:
    """The matrix in words: the pairs that agree most and least."""
    defined = [
        (cell.measure.value, row.name, cell.other_name)
        for row in rows
        for cell in row.cells
        if row.number < cell.other and cell.measure is not None and cell.measure.value is not None
    ]
    if not defined:
        reason = one_reason(cell.measure for row in rows for cell in row.cells)
        return f"{MEASURES[measure]} is undefined for every two reviewers{f': {reason}' if reason else ''}."
    least, most = min(defined), max(defined)
    label = MEASURES[measure]

    def words(value: float) -> str:
        return f"{value:.0%}" if measure in SHARES else as_text(value, digits=2)

    if len(defined) == 1:
        return f"{label} of {most[1]} and {most[2]} is {words(most[0])}."
    return (
        f"{label} is highest between {most[1]} and {most[2]} ({words(most[0])}) and lowest between "
        f"{least[1]} and {least[2]} ({words(least[0])})."
    )


def _is_ordered(criterion: Criterion) -> bool:
    return criterion.rules.has_mean


def _has_steps(criterion: Criterion) -> bool:
    return len(criterion.levels) <= MOST_BUTTONS


def _undefined(name: str, criterion: Criterion) -> Measure:
    reason = TOO_FINE if _is_ordered(criterion) else NO_ORDER
    return Measure.undefined(reason, signature=signature(name))


def _of_panel(ratings: Ratings, criterion: Criterion, pair: tuple[int, int] | None = None) -> AgainstOthers:
    """All measures of a pair, or of the whole panel, whose kappa is the mean over pairs."""
    found = {}
    for name in MEASURES:
        if name == "kappa" and pair is None and _is_ordered(criterion):
            found[name] = mean_kappa(ratings, seed=SEED, replicates=REPLICATES)
        else:
            found[name] = _one(ratings, criterion, name, pair)
    return AgainstOthers(**found)


def _one(ratings: Ratings, criterion: Criterion, name: str, pair: tuple[int, int] | None) -> Measure:
    """One measure by its key in `MEASURES`; one that needs an order is undefined without."""
    if pair is not None and not len(ratings):
        return Measure.undefined(NOTHING_SHARED, signature=signature(name.replace("_", "-")))
    ordered = _is_ordered(criterion)
    drawn = {"seed": SEED, "replicates": REPLICATES}
    if name == "alpha":
        return krippendorff_alpha(ratings, scale="ordinal" if ordered else "nominal", **drawn)
    if name == "ac2":
        levels = [float(level) for level in criterion.levels]
        return gwet_ac2(ratings, levels=levels, weights="quadratic" if ordered else "identity", **drawn)
    if name == "exact" or (name == "within_one" and ordered and not criterion.rules.is_typed):
        return percent_agreement(ratings, within=float(name == "within_one"), **drawn)
    if not ordered or name == "within_one":
        return _undefined(name.replace("_", "-"), criterion)
    return (
        quadratic_kappa(ratings, *pair, **drawn)
        if name == "kappa" and pair is not None
        else icc(ratings, form=_FORMS[name], **drawn)
    )


def _tone(measure: Measure | None, name: str) -> int:
    """The shade of a cell: by fifths of agreement from 0 to 1."""
    if measure is None or measure.value is None:
        return 0
    floor = 0.5 if name in SHARES else 0.0
    return 1 + max(0, min(4, int(5 * (measure.value - floor) / (1 - floor))))
