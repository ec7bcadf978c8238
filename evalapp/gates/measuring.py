"""Measures a gate's conditions on a campaign's scores, and derives the verdict."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from evalapp.analysis.comparison.differences import TOTAL as TOTAL_CRITERION
from evalapp.analysis.comparison.differences import step_of
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.counterfactual_items import LEAST_PAIRS, NO_ITEMS, CounterfactualItems, in_words
from evalapp.campaigns.models import CampaignCandidate
from evalapp.core.number_format import MINUS, as_text
from evalapp.gates.conditions import AGAINST_CHAMPION, TOTAL, Condition, ConditionKind
from evalapp.gates.lineage import CleanCheck
from evalapp.gates.models import GateVerdict
from evalapp.measure import Measure
from evalapp.rubrics.models import Criterion
from evalapp.stats.bounds import difference_bounds, items_to_reach, mean_bounds, share_bounds
from evalapp.stats.counterfactual_pairs import NOT_BY_ONE, PairSides, sides_of_pairs, worst_difference
from evalapp.stats.differences import NO_PAIRS
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings

MET, NOT_MET, UNDECIDED = "met", "not_met", "undecided"
MOST_REVIEWS = 1_000_000


@dataclass(frozen=True)
class Result:
    """``state``: met, not met (shown to be false), or undecided. ``more_reviews``: further reviews of the
    candidate that would show an undecided condition if its estimate stays, on a ledger those left to the
    planned end; None if that is not to be expected, or does not depend on reviews.
    """

    condition: Condition
    state: str
    reason: str
    measure: Measure | None = None
    more_reviews: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "condition": self.condition.as_dict(),
            "words": self.condition.words,
            "state": self.state,
            "reason": self.reason,
            "measure": self.measure.as_dict() if self.measure is not None else None,
            "more_reviews": self.more_reviews,
        }


class Outcome(NamedTuple):
    """``more_reviews``: of the candidate, for all undecided conditions together; None if unknown or 0."""

    verdict: str
    results: list[Result]
    more_reviews: int | None


class Inputs(NamedTuple):
    """The data that conditions are measured on.

    ``level``: one-sided, for each condition (all must be met, so their joint test has the same level: an
    intersection–union test). ``is_last``: no evaluation is left after this one. ``end_level``: the level of
    an evaluation at the planned end, ``remaining`` reviews of the candidate away; an early evaluation has
    hardly any level of its own, so the reviews still needed are computed from this one. ``population``: whose
    scores the conditions are about. ``counterfactuals``: the items that form pairs.
    """

    scores: CampaignScores
    candidate: CampaignCandidate
    champion: CampaignCandidate | None
    level: float
    clean: CleanCheck
    is_last: bool
    end_level: float
    population: Population
    remaining: int = 0
    counterfactuals: CounterfactualItems = NO_ITEMS


def measure(conditions: list[Condition], inputs: Inputs) -> Outcome:
    """All conditions and the verdict: release if all are met; do not release if one is shown to be false, or
    no evaluation is left to show it; else not yet.
    """
    results = [_with_note_in_reason(_EVALUATIONS[each.kind](each, inputs)) for each in conditions]
    undecided = [result for result in results if result.state == UNDECIDED]
    if any(result.state == NOT_MET for result in results):
        return Outcome(GateVerdict.DO_NOT_RELEASE, results, None)
    if not undecided:
        return Outcome(GateVerdict.RELEASE, results, None)
    if inputs.is_last:
        return Outcome(GateVerdict.DO_NOT_RELEASE, results, None)
    wanted = [result.more_reviews for result in undecided]
    known = [each for each in wanted if each is not None]
    return Outcome(GateVerdict.NOT_YET, results, max(known) if len(known) == len(wanted) else None)


def _with_note_in_reason(result: Result) -> Result:
    """The note on people or items that the bounds leave out becomes part of the reason."""
    found = result.measure
    if found is None or found.low is None or not found.note:
        return result
    return replace(result, reason=f"{result.reason} {found.note[:1].upper()}{found.note[1:]}.")


def criterion_of(scores: CampaignScores, condition: Condition) -> Criterion | None:
    return next((each for each in scores.criteria if each.key == condition.criterion), None)


def why_unusable(condition: Condition, criterion: Criterion | None) -> str:
    """Why a condition cannot be set for this criterion of a rubric; empty if it can."""
    if not condition.is_on_scores or condition.criterion == TOTAL:
        return ""
    if criterion is None:
        return f"the rubric has no criterion “{condition.name or condition.criterion}”"
    if criterion.lower_is_better:
        return f"on “{criterion.name}” lower is better, and a gate can only require higher values"
    if condition.kind == ConditionKind.VETO:
        if not criterion.failing_levels:
            return f"the rubric does not say which answers to “{criterion.name}” fail"
        return ""
    return "" if criterion.rules.has_mean else f"“{criterion.name}” is not a scale, so it has no mean"


def _ratings(inputs: Inputs, condition: Condition, entry: CampaignCandidate) -> Ratings:
    if condition.criterion == TOTAL:
        return inputs.scores.totals(entry)
    criterion = criterion_of(inputs.scores, condition)
    assert criterion is not None
    return inputs.scores.numbers_given(criterion, entry)


def scale_of(condition: Condition, criterion: Criterion | None) -> tuple[float, float]:
    """The ends of the scale of the condition's mean."""
    if condition.criterion == TOTAL or criterion is None:
        return 1.0, 5.0
    low, high = criterion.rules.range
    return float(low), float(high)


def _requires_usable_scores(
    evaluate: Callable[[Condition, Inputs], Result],
) -> Callable[[Condition, Inputs], Result]:
    def evaluate_if_usable(condition: Condition, inputs: Inputs) -> Result:
        problem = why_unusable(condition, criterion_of(inputs.scores, condition))
        if condition.kind in AGAINST_CHAMPION and not problem:
            if inputs.champion is None:
                problem = "no champion was named when the gate was applied, or it is not a candidate"
            elif inputs.champion.pk == inputs.candidate.pk:
                problem = "this is the champion itself"
        if problem:
            return Result(condition, UNDECIDED, f"It cannot be measured: {problem}.")
        return evaluate(condition, inputs)

    return evaluate_if_usable


class _Bounds(Protocol):
    """Bounds at a level, with ``times`` as many items."""

    def __call__(self, level: float, times: float = 1.0) -> Measure: ...


@_requires_usable_scores
def _evaluate_floor(condition: Condition, inputs: Inputs) -> Result:
    ratings = _ratings(inputs, condition, inputs.candidate)
    smallest, largest = scale_of(condition, criterion_of(inputs.scores, condition))

    def bounds(level: float, times: float = 1.0) -> Measure:
        return mean_bounds(
            ratings,
            population=inputs.population,
            alpha=level,
            smallest=smallest,
            largest=largest,
            times=times,
        )

    return _compare_lower_bound(condition, bounds, condition.threshold or 0.0, ratings, inputs, what="mean")


@_requires_usable_scores
def _evaluate_against_champion(condition: Condition, inputs: Inputs) -> Result:
    assert inputs.champion is not None
    ratings = _ratings(inputs, condition, inputs.candidate)
    criterion = criterion_of(inputs.scores, condition)
    smallest, largest = scale_of(condition, criterion)
    step = step_of(criterion or TOTAL_CRITERION, inputs.scores)
    champion_ratings = _ratings(inputs, condition, inputs.champion)

    def bounds(level: float, times: float = 1.0) -> Measure:
        return difference_bounds(
            ratings,
            champion_ratings,
            population=inputs.population,
            alpha=level,
            smallest=smallest,
            largest=largest,
            step=step,
            times=times,
        )

    margin = condition.threshold or 0.0
    threshold = -margin if condition.kind == ConditionKind.NON_INFERIORITY else margin
    return _compare_lower_bound(
        condition, bounds, threshold, ratings, inputs, what="difference", is_strict=True
    )


@_requires_usable_scores
def _evaluate_counterfactual(condition: Condition, inputs: Inputs) -> Result:
    """Every variant with enough pairs must be no worse than its original by the margin."""
    items = inputs.counterfactuals
    if not items.tested:
        return Result(condition, UNDECIDED, f"It cannot be measured: {no_pairs_words(items)}.")
    ratings = _ratings(inputs, condition, inputs.candidate)
    criterion = criterion_of(inputs.scores, condition)
    smallest, largest = scale_of(condition, criterion)
    step = step_of(criterion or TOTAL_CRITERION, inputs.scores)
    sides = {
        str(name): sides_of_pairs(
            ratings,
            variants=items.variants[name],
            originals=items.originals,
            population=inputs.population,
        )
        for name in items.tested
    }

    def bounds(level: float, times: float = 1.0) -> Measure:
        def of_one(side: PairSides, alpha: float) -> Measure:
            found = difference_bounds(
                *side,
                population=inputs.population,
                alpha=alpha,
                smallest=smallest,
                largest=largest,
                step=step,
                times=times,
            )
            return replace(found, reason=NOT_BY_ONE) if found.reason == NO_PAIRS else found

        return worst_difference(sides, of_one, alpha=level).measure

    threshold = -(condition.threshold or 0.0)
    what = "worst difference of a variant from its original"
    return _compare_lower_bound(condition, bounds, threshold, ratings, inputs, what=what, is_strict=True)


def no_pairs_words(items: CounterfactualItems) -> str:
    """Why no variant is tested, as the end of a sentence."""
    if not items.left_out:
        return "the campaign's rows are not counterfactual pairs"
    return (
        f"it needs {LEAST_PAIRS} pairs of a variant, and the campaign has fewer of each"
        f" ({in_words(items.left_out)})"
    )


def _compare_lower_bound(
    condition: Condition,
    bounds: _Bounds,
    threshold: float,
    ratings: Ratings,
    inputs: Inputs,
    *,
    what: str,
    is_strict: bool = False,
) -> Result:
    """The lower bound must reach the threshold (if strict, exceed it)."""
    found = bounds(inputs.level)
    if found.value is None:
        return Result(condition, UNDECIDED, f"There is no {what} yet: {found.reason}.", found)
    if found.low is None or found.high is None:
        return Result(
            condition, UNDECIDED, f"The {what} is {_number(found.value)}, with {found.note}.", found
        )
    limit = f"{threshold:g}".replace("-", MINUS)
    at_least = "above" if is_strict else "at least"
    if found.low > threshold or (found.low == threshold and not is_strict):
        return Result(condition, MET, f"The lower bound, {_number(found.low)}, is {at_least} {limit}.", found)
    if found.high < threshold or (found.high == threshold and is_strict):
        return Result(
            condition,
            NOT_MET,
            f"Even the upper bound, {_number(found.high)}, does not reach {limit}.",
            found,
        )
    if found.value <= threshold:
        return Result(
            condition,
            UNDECIDED,
            f"The {what}, {_number(found.value)}, does not reach {limit} yet; more reviews alone are not"
            " expected to change that.",
            found,
        )

    def is_reached(times: float) -> bool:
        low = bounds(inputs.end_level, times).low
        return low is not None and (low > threshold or (low == threshold and not is_strict))

    reason = (
        f"The {what} is {_number(found.value)}, and its lower bound, {_number(found.low)}, does not reach"
        f" {limit} yet."
    )
    return _with_further_reviews(Result(condition, UNDECIDED, reason, found), ratings, is_reached, inputs)


@_requires_usable_scores
def _evaluate_low_share(condition: Condition, inputs: Inputs) -> Result:
    criterion = criterion_of(inputs.scores, condition)
    ceiling = condition.at_most if condition.at_most is not None else 2
    if criterion is None:
        return Result(condition, UNDECIDED, "It cannot be measured: the total has no low scores.")
    low = frozenset(level for level in criterion.levels if criterion.rules.number(level) <= ceiling)
    marks = inputs.scores.ratings(criterion, inputs.candidate, counted=low)
    return _compare_upper_bound(condition, marks, inputs)


@_requires_usable_scores
def _evaluate_veto(condition: Condition, inputs: Inputs) -> Result:
    criterion = criterion_of(inputs.scores, condition)
    if criterion is None:
        return Result(condition, UNDECIDED, "It cannot be measured: the total is not a single criterion.")
    marks = inputs.scores.ratings(criterion, inputs.candidate, counted=criterion.failing_levels)
    return _compare_upper_bound(condition, marks, inputs)


def _compare_upper_bound(condition: Condition, marks: Ratings, inputs: Inputs) -> Result:
    """The upper bound of the rate must be at most the ceiling."""
    found = share_bounds(marks, population=inputs.population, alpha=inputs.level)
    ceiling = condition.threshold or 0.0
    if found.value is None:
        return Result(condition, UNDECIDED, f"There is no rate yet: {found.reason}.", found)
    if found.low is None or found.high is None:
        return Result(condition, UNDECIDED, f"The rate is {_percent(found.value)}, with {found.note}.", found)
    if found.high <= ceiling:
        return Result(
            condition,
            MET,
            f"The upper bound, {_percent(found.high)}, is at most {_percent(ceiling)}.",
            found,
        )
    if found.low > ceiling:
        return Result(
            condition,
            NOT_MET,
            f"Even the lower bound, {_percent(found.low)}, is over {_percent(ceiling)}.",
            found,
        )
    if found.value >= ceiling:
        reason = (
            f"The rate, {_percent(found.value)}, is not under {_percent(ceiling)} yet; more reviews alone"
            " are not expected to change that."
        )
        return Result(condition, UNDECIDED, reason, found)

    def is_reached(times: float) -> bool:
        bounds = share_bounds(marks, population=inputs.population, alpha=inputs.end_level, times=times)
        high = bounds.high
        return high is not None and high <= ceiling

    reason = (
        f"The rate is {_percent(found.value)}, and its upper bound, {_percent(found.high)}, is still over"
        f" {_percent(ceiling)}."
    )
    return _with_further_reviews(Result(condition, UNDECIDED, reason, found), marks, is_reached, inputs)


def _number(value: float) -> str:
    return as_text(value, digits=2)


def _percent(share: float) -> str:
    return f"{share * 100:.1f}%"


def _with_further_reviews(
    result: Result, ratings: Ratings, is_reached: Callable[[float], bool], inputs: Inputs
) -> Result:
    """The undecided result with the candidate's further reviews that would show it at the planned end, or why
    none would. ``is_reached``: whether it would be shown with a given multiple of the items.
    """
    times = items_to_reach(is_reached, most=MOST_REVIEWS / len(ratings))
    if times is None:
        words = (
            "More reviews by these reviewers are not expected to show it, because the variance between"
            " reviewers remains; more reviewers may."
        )
        return replace(result, reason=f"{result.reason} {words}")
    items = len(ratings.items)
    more = max(round((math.ceil(items * times) - items) * len(ratings) / items), 1)
    if more <= inputs.remaining:
        return replace(result, more_reviews=inputs.remaining)
    if not inputs.remaining:
        return replace(result, more_reviews=more)
    words = (
        f"The {inputs.remaining:,} planned reviews that are left are not expected to be enough (about"
        f" {more:,} would be), and no budget is left after them: plan a larger test on other examples."
    )
    return replace(result, reason=f"{result.reason} {words}")


def _evaluate_contamination(condition: Condition, inputs: Inputs) -> Result:
    state = {True: MET, False: NOT_MET, None: UNDECIDED}[inputs.clean.is_clean]
    return Result(condition, state, inputs.clean.words)


def _evaluate_item_count(condition: Condition, inputs: Inputs) -> Result:
    reviewed = [answer for answer in inputs.scores.answers if answer.candidate_id == inputs.candidate.pk]
    items = {answer.item_id for answer in reviewed}
    wanted = int(condition.threshold or 0)
    if len(items) >= wanted:
        return Result(condition, MET, f"{len(items):,} items are reviewed.")
    reviews = len({(answer.item_id, answer.reviewer_id) for answer in reviewed})
    more = round((wanted - len(items)) * (reviews / len(items) if items else 1))
    return Result(
        condition, UNDECIDED, f"{len(items):,} of {wanted:,} items are reviewed.", None, max(more, 1)
    )


def _evaluate_reviewer_count(condition: Condition, inputs: Inputs) -> Result:
    people = {
        answer.reviewer_id for answer in inputs.scores.answers if answer.candidate_id == inputs.candidate.pk
    }
    wanted = int(condition.threshold or 0)
    if len(people) >= wanted:
        return Result(condition, MET, f"{len(people):,} reviewers have rated it.")
    return Result(condition, UNDECIDED, f"{len(people):,} of {wanted:,} reviewers have rated it.", None, 1)


_EVALUATIONS: dict[ConditionKind, Callable[[Condition, Inputs], Result]] = {
    ConditionKind.FLOOR: _evaluate_floor,
    ConditionKind.NON_INFERIORITY: _evaluate_against_champion,
    ConditionKind.SUPERIORITY: _evaluate_against_champion,
    ConditionKind.COUNTERFACTUAL: _evaluate_counterfactual,
    ConditionKind.LOW_SHARE: _evaluate_low_share,
    ConditionKind.VETO: _evaluate_veto,
    ConditionKind.CONTAMINATION: _evaluate_contamination,
    ConditionKind.ITEMS: _evaluate_item_count,
    ConditionKind.REVIEWERS: _evaluate_reviewer_count,
}
