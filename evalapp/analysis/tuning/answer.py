"""The answer to “is tuning better than a good prompt?” in words: yes, no, or undecided with the number of
reviews that would decide it.
"""

from collections.abc import Sequence
from enum import StrEnum
from statistics import NormalDist
from typing import NamedTuple

from evalapp.analysis.comparison.candidates import CandidateRow
from evalapp.analysis.comparison.differences import SIGNIFICANT, ComparedPair
from evalapp.core.number_format import as_text
from evalapp.stats.differences import holm

MOST_TIMES = 20
"""If a sample would have to grow by more than this factor, the two count as equally good and no number is
given.
"""

BaselinePairs = tuple[CandidateRow, Sequence[ComparedPair]]
"""A baseline with the differences of the tuned candidate from it."""


class Verdict(StrEnum):
    BETTER = "better"
    MIXED = "mixed"
    WORSE = "worse"
    OPEN = "open"
    UNRATED = "unrated"


class Answer(NamedTuple):
    """``words``: sentences. ``more_reviews``: the number for each candidate that would decide an undecided
    answer if the difference stays; None if that is not to be expected, or the answer is decided.
    """

    verdict: Verdict
    words: str
    more_reviews: int | None = None

    @property
    def headline(self) -> str:
        return {
            Verdict.BETTER: "Yes",
            Verdict.MIXED: "Better in total, worse on some criteria",
            Verdict.WORSE: "No",
            Verdict.OPEN: "Not decided",
            Verdict.UNRATED: "Not known yet",
        }[self.verdict]


class _Lead(NamedTuple):
    """How much better the tuned candidate is than a baseline; negative if worse. ``p`` is adjusted."""

    row: CandidateRow
    pair: ComparedPair
    value: float
    low: float | None
    high: float | None
    p: float | None


def answer_of(
    tuned: CandidateRow, baselines_with_pairs: Sequence[BaselinePairs], *, raters: str = "People"
) -> Answer:
    """The answer by the total, or the rubric's only scale: better than every baseline, worse than one, or
    undecided; mixed if better in total but worse on a criterion. p is adjusted over the baselines (Holm).
    ``raters``: who rated.
    """
    leads = _leads(baselines_with_pairs)
    if not leads:
        return Answer(Verdict.UNRATED, f"No item has ratings of both “{tuned.label}” and a prompt yet.")
    closest = min(leads, key=lambda lead: lead.value)
    on = f"on {closest.pair.criterion.name}" if not closest.pair.is_total else "in total"
    beaten = [lead for lead in leads if _is_shown(lead) and lead.value < 0]
    if beaten:
        worst = min(beaten, key=lambda lead: lead.value)
        words = (
            f"{raters} rate “{worst.row.label}” better than “{tuned.label}”,"
            f" by {_lead_words(worst, flipped=True)} {on}."
        )
        return Answer(Verdict.WORSE, words)
    if all(_is_shown(lead) for lead in leads):
        than = f"“{closest.row.label}”" if len(leads) == 1 else f"each of the {len(leads)} prompts"
        nearest = "" if len(leads) == 1 else f"; the best of them is “{closest.row.label}”"
        words = f"{raters} rate “{tuned.label}” better than {than}, by {_lead_words(closest)} {on}{nearest}."
        if lost := _criteria_lost(baselines_with_pairs):
            return Answer(Verdict.MIXED, f"{words} It is worse on {', '.join(lost)}.")
        return Answer(Verdict.BETTER, words)
    return _open_answer(
        tuned,
        next(lead for lead in sorted(leads, key=lambda lead: lead.value) if not _is_shown(lead)),
        on,
        len(leads),
    )


def _criteria_lost(baselines_with_pairs: Sequence[BaselinePairs]) -> list[str]:
    """The criteria on which the tuned candidate is significantly worse than a baseline."""
    pairs = (pair for _, pairs in baselines_with_pairs for pair in pairs)
    worse = (pair for pair in pairs if not pair.is_total and pair.verdict == "worse")
    return list(dict.fromkeys(f"{pair.criterion.name} ({pair.points})" for pair in worse))


def _open_answer(tuned: CandidateRow, lead: _Lead, on: str, baselines: int) -> Answer:
    first, second = (tuned.label, lead.row.label) if lead.value >= 0 else (lead.row.label, tuned.label)
    lead_words = _lead_words(lead, flipped=lead.value < 0)
    words = f"“{first}” is rated better than “{second}” by {lead_words} {on}"
    if lead.value == 0:
        words = f"“{first}” and “{second}” are rated alike {on}"
    if lead.p is None or lead.low is None or lead.high is None:
        why = lead.pair.difference.p.reason or lead.pair.difference.difference.note
        return Answer(Verdict.OPEN, f"{words}. The difference is not tested: {why}.")
    if lead.value:
        words += (
            f", which is not significant ({'p' if baselines == 1 else 'Holm-adjusted p'} ="
            f" {as_text(lead.p, digits=2)})"
        )
    words += "."
    more = _more_reviews(lead, baselines)
    if more is not None:
        return Answer(
            Verdict.OPEN,
            f"{words} About {more:,} more review{'' if more == 1 else 's'} of each would decide it, if the"
            " difference stays.",
            more,
        )
    bound = _points(max(abs(lead.low), abs(lead.high)), lead.pair)
    return Answer(
        Verdict.OPEN,
        f"{words} More reviews alone are not expected to show a difference: neither is better by more than"
        f" {bound}.",
    )


def _leads(baselines_with_pairs: Sequence[BaselinePairs]) -> list[_Lead]:
    found = [(row, pair) for row, pairs in baselines_with_pairs if (pair := _headline(pairs)) is not None]
    p_values = {
        str(position): pair.difference.p.value
        for position, (_, pair) in enumerate(found)
        if pair.difference.p.value is not None
    }
    adjusted = holm(p_values)
    leads = []
    for position, (row, pair) in enumerate(found):
        measure = pair.difference.difference
        assert measure.value is not None
        ends = (measure.low, measure.high)
        value = measure.value
        if pair.criterion.is_less_better:
            value, ends = -value, (_negative(measure.high), _negative(measure.low))
        leads.append(_Lead(row, pair, value, *ends, adjusted.get(str(position))))
    return leads


def _headline(pairs: Sequence[ComparedPair]) -> ComparedPair | None:
    """The measure of the answer: the total, else the only scale, else the first share; None if it has no
    value.
    """
    total = [pair for pair in pairs if pair.is_total]
    scales = [pair for pair in pairs if pair.criterion.rules.has_mean]
    chosen = next(iter([*total, *scales, *pairs]), None)
    return chosen if chosen is not None and chosen.difference.difference.defined else None


def _is_shown(lead: _Lead) -> bool:
    return lead.p is not None and lead.p < SIGNIFICANT


def _more_reviews(lead: _Lead, baselines: int) -> int | None:
    """Further reviews of each candidate, beyond the existing pairs: the error of a difference shrinks with
    the square root of their number.
    """
    p, record = lead.pair.difference.p.value, lead.pair.record
    if p is None or p >= 1 or record is None:
        return None
    reached = NormalDist().inv_cdf(1 - p / 2)
    needed = NormalDist().inv_cdf(1 - SIGNIFICANT / baselines / 2)
    factor = (needed / reached) ** 2 if reached > 0 else float("inf")
    if factor > MOST_TIMES:
        return None
    return max(1, round(record.pairs * (factor - 1)))


def _lead_words(lead: _Lead, *, flipped: bool = False) -> str:
    """The lead in words: “0.42 points (0.20 to 0.64 with 95%)”."""
    sign = -1 if flipped else 1
    words = _points(sign * lead.value, lead.pair)
    if lead.low is None or lead.high is None:
        return words
    low, high = sorted((sign * lead.low, sign * lead.high))
    return f"{words} ({_number(low, lead.pair)} to {_number(high, lead.pair)} with 95%)"


def _points(value: float, pair: ComparedPair) -> str:
    return f"{_number(value, pair)} {'percentage points' if pair.is_share else 'points'}"


def _number(value: float, pair: ComparedPair) -> str:
    return as_text(100 * value, digits=0) if pair.is_share else as_text(value, digits=2)


def _negative(end: float | None) -> float | None:
    return None if end is None else -end
