"""Who agrees with whom, on what, and which levels of a scale people take for one another."""

from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from evalapp.analysis.differences import SEED
from evalapp.analysis.scores import CampaignScores
from evalapp.core.figures import as_text
from evalapp.measure import Measure, signature
from evalapp.reviews.pseudonyms import ReviewerNames
from evalapp.rubrics.drafts import MOST_BUTTONS
from evalapp.rubrics.models import Criterion, CriterionKind
from evalapp.stats.against_others import AgainstOthers, against_others, mean_kappa
from evalapp.stats.agreement import gwet_ac2, krippendorff_alpha, percent_agreement, quadratic_kappa
from evalapp.stats.confusion import ConfusedLevels, Confusion, confused_levels, confusion
from evalapp.stats.ratings import Ratings
from evalapp.stats.reliability import IccForm, icc

REPLICATES = 500
# Each pair is measured while somebody waits.
MOST_REVIEWERS = 12
MOST_SCORES = 5_000
MOST_ITEMS_NAMED = 5
NO_ORDER = "the answers have no order"
TOO_FINE = "single points of a wide scale are no steps that people can tell"

MEASURES = {
    "alpha": "Alpha",
    "kappa": "Kappa",
    "ac2": "AC2",
    "icc_1": "ICC(1)",
    "icc_2_1": "ICC(2,1)",
    "icc_2_k": "ICC(2,k)",
    "exact": "Equal",
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
    "exact": "percent-agreement",
    "within_one": "percent-agreement",
}


class AgreementOn(NamedTuple):
    """Every measure of the panel on one criterion; ``kappa`` is the mean over its pairs."""

    criterion: Criterion
    measures: AgainstOthers
    scores: int


class ReviewerAgreement(NamedTuple):
    """One reviewer beside the others. ``number`` is the pseudonym's, which addresses name."""

    number: int
    name: str
    is_reader: bool
    measures: AgainstOthers


class PairAgreement(NamedTuple):
    """Two reviewers by their numbers, the lower first."""

    first: int
    second: int
    first_name: str
    second_name: str
    measures: AgainstOthers


class MatrixCell(NamedTuple):
    """``tone`` from 1, least agreement, to 5 shades the cell; 0 where the measure is undefined."""

    other: int
    other_name: str
    measure: Measure | None
    tone: int


class MatrixRow(NamedTuple):
    number: int
    name: str
    cells: list[MatrixCell]


class LevelsToClarify(NamedTuple):
    """Two neighbouring levels that people take for one another, with their anchors as the rubric has them.

    ``items`` are the first of those on which reviewers split. ``lower`` and ``upper`` are level words.
    """

    found: ConfusedLevels
    lower: str
    upper: str
    lower_anchor: str
    upper_anchor: str
    item_outputs: list[tuple[int, int, int]]


def is_too_large(scores: CampaignScores) -> bool:
    """Whether there are more scores than can be compared while somebody waits."""
    return len(scores.answers) > MOST_SCORES * max(1, len(scores.criteria))


def ratings_on(scores: CampaignScores, criterion: Criterion) -> Ratings:
    """The base overlap: scores that were asked for because others differed are left out."""
    return scores.ratings(criterion, as_designed=True)


def agreement_on(
    scores: CampaignScores, criterion: Criterion, *, replicates: int = REPLICATES
) -> AgreementOn:
    """The whole panel on one criterion."""
    ratings = ratings_on(scores, criterion)
    return AgreementOn(criterion, _of_panel(ratings, criterion, replicates, pooled=True), len(ratings))


def by_reviewer(
    scores: CampaignScores, criterion: Criterion, names: ReviewerNames, *, replicates: int = REPLICATES
) -> list[ReviewerAgreement]:
    """Every reviewer with a score on the criterion beside the others, by number."""
    ratings = ratings_on(scores, criterion)
    rows = []
    for person in scores.reviewer_ids:
        if person not in ratings.reviewers:
            continue
        measures = against_others(
            ratings,
            person,
            levels=[float(level) for level in criterion.levels],
            is_ordered=_is_ordered(criterion),
            seed=SEED,
            replicates=replicates,
        )
        if not _has_steps(criterion):
            measures = measures._replace(within_one=_undefined("percent-agreement-within-1", criterion))
        rows.append(
            ReviewerAgreement(names.numbers[person], names.of(person), person == names.reader_id, measures)
        )
    return rows


def pairs_of(scores: CampaignScores, criterion: Criterion) -> list[tuple[int, int]]:
    """Every two people with a score on the criterion, in the order of their numbers."""
    present = set(ratings_on(scores, criterion).reviewers)
    return list(combinations([each for each in scores.reviewer_ids if each in present], 2))


def agreement_of(
    scores: CampaignScores,
    criterion: Criterion,
    pair: tuple[int, int],
    names: ReviewerNames,
    *,
    replicates: int = REPLICATES,
) -> PairAgreement:
    """Every measure of two people on the items both scored."""
    ratings = _shared(ratings_on(scores, criterion), pair)
    measures = _of_panel(ratings, criterion, replicates, pooled=False, pair=pair)
    first, second = pair
    return PairAgreement(
        names.numbers[first], names.numbers[second], names.of(first), names.of(second), measures
    )


def matrix_of(
    scores: CampaignScores, criterion: Criterion, names: ReviewerNames, measure: str
) -> list[MatrixRow]:
    """One measure of every pair, as a square table that mirrors itself; empty for fewer than two people."""
    ratings = ratings_on(scores, criterion)
    found: dict[tuple[int, int], Measure] = {}
    pairs = pairs_of(scores, criterion)
    for pair in pairs:
        value = _one(_shared(ratings, pair), criterion, measure, REPLICATES, pair)
        found[pair] = found[pair[::-1]] = value
    people = list(dict.fromkeys(person for pair in pairs for person in pair))
    return [
        MatrixRow(
            names.numbers[one],
            names.of(one),
            [
                MatrixCell(
                    names.numbers[other],
                    names.of(other),
                    found.get((one, other)),
                    _tone(found.get((one, other)), measure),
                )
                for other in people
            ],
        )
        for one in people
    ]


def matrix_in_words(rows: list[MatrixRow], measure: str) -> str:
    """What the shading shows: the pairs that agree most and least."""
    defined = [
        (cell.measure.value, row.name, cell.other_name)
        for row in rows
        for cell in row.cells
        if row.number < cell.other and cell.measure is not None and cell.measure.value is not None
    ]
    if not defined:
        return f"{MEASURES[measure]} is undefined for every two reviewers."
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


def confusion_of(scores: CampaignScores, criterion: Criterion, pair: tuple[int, int]) -> Confusion | None:
    """How often the first of two people gave each level where the second gave each; None for a wide scale,
    whose table nobody could read.
    """
    if not _has_steps(criterion):
        return None
    return confusion(
        ratings_on(scores, criterion), *pair, levels=[float(level) for level in criterion.levels]
    )


def levels_to_clarify(scores: CampaignScores, criterion: Criterion) -> list[LevelsToClarify]:
    """Neighbouring levels that reviewers cannot be shown to tell apart, with most pairs apart first.

    Of scales of up to 11 levels only: on a wider one a single point is no anchor.
    """
    if criterion.kind != CriterionKind.SCALE or not _has_steps(criterion):
        return []
    outputs = {output.item_output_id: (output.item_id, output.candidate_id) for output in scores.outputs}
    found = confused_levels(
        ratings_on(scores, criterion), levels=[float(level) for level in criterion.levels]
    )
    return [
        LevelsToClarify(
            each,
            criterion.level_words(int(each.lower)),
            criterion.level_words(int(each.upper)),
            str(criterion.anchors.get(str(int(each.lower)), "")),
            str(criterion.anchors.get(str(int(each.upper)), "")),
            [(int(str(item)), *outputs[int(str(item))]) for item in each.items[:MOST_ITEMS_NAMED]],
        )
        for each in found
        if each.is_confused
    ]


def _is_ordered(criterion: Criterion) -> bool:
    return criterion.kind == CriterionKind.SCALE


def _has_steps(criterion: Criterion) -> bool:
    return len(criterion.levels) <= MOST_BUTTONS


def _undefined(name: str, criterion: Criterion) -> Measure:
    reason = TOO_FINE if _is_ordered(criterion) else NO_ORDER
    return Measure.undefined(reason, signature=signature(name))


def _shared(ratings: Ratings, pair: Iterable[int]) -> Ratings:
    """The scores of two people on the items both scored."""
    codes = [ratings.reviewers.index(person) for person in pair]
    mine = np.isin(ratings.reviewer, codes)
    both = np.bincount(ratings.item[mine], minlength=len(ratings.items)) == 2
    kept = np.flatnonzero(mine & both[ratings.item])
    return Ratings.from_columns(
        [ratings.items[code] for code in ratings.item[kept].tolist()],
        [ratings.reviewers[code] for code in ratings.reviewer[kept].tolist()],
        ratings.score[kept].tolist(),
    )


def _of_panel(
    ratings: Ratings,
    criterion: Criterion,
    replicates: int,
    *,
    pooled: bool,
    pair: tuple[int, int] | None = None,
) -> AgainstOthers:
    found = {}
    for name in MEASURES:
        if name == "kappa" and pooled and _is_ordered(criterion):
            found[name] = mean_kappa(ratings, seed=SEED, replicates=replicates)
        else:
            found[name] = _one(ratings, criterion, name, replicates, pair)
    return AgainstOthers(**found)


def _one(
    ratings: Ratings, criterion: Criterion, name: str, replicates: int, pair: tuple[int, int] | None
) -> Measure:
    """One measure by its key in `MEASURES`; what needs an order is undefined without one."""
    ordered = _is_ordered(criterion)
    drawn = {"seed": SEED, "replicates": replicates}
    if name == "alpha":
        return krippendorff_alpha(ratings, scale="ordinal" if ordered else "nominal", **drawn)
    if name == "ac2":
        levels = [float(level) for level in criterion.levels]
        return gwet_ac2(ratings, levels=levels, weights="quadratic" if ordered else "identity", **drawn)
    if name == "exact" or (name == "within_one" and ordered and _has_steps(criterion)):
        return percent_agreement(ratings, within=float(name == "within_one"), **drawn)
    if not ordered or name == "within_one":
        return _undefined(name.replace("_", "-"), criterion)
    if name == "kappa" and pair is not None:
        return quadratic_kappa(ratings, *pair, **drawn)
    return icc(ratings, form=_FORMS[name], **drawn)


def _tone(measure: Measure | None, name: str) -> int:
    """How a cell is shaded: by fifths of agreement from 0 to 1."""
    if measure is None or measure.value is None:
        return 0
    floor = 0.5 if name in SHARES else 0.0
    return 1 + max(0, min(4, int(5 * (measure.value - floor) / (1 - floor))))
