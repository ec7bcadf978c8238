"""Which feedback becomes training data, and why: pure rules, one reason a row.

Sources of the rules: corrections first, then outputs rated at or above ``answer_floor``; preference
pairs need the same prompt, a gap of at least ``pair_gap`` between means and a chosen mean of at
least ``pair_floor``; ties are dropped. Means are on a scale of 1 to 5, to which other ranges are
stretched.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from evalapp.core.errors import InvalidError
from evalapp.core.names import has_visible
from evalapp.exports.models import RowKind


@dataclass(frozen=True)
class SelectionRules:
    answer_floor: float = 4.5
    pair_gap: float = 1.0
    pair_floor: float = 4.0

    def __post_init__(self) -> None:
        for name in ("answer_floor", "pair_floor"):
            if not 1 <= getattr(self, name) <= 5:
                raise InvalidError(
                    f"{name.replace('_', ' ')} must lie between 1 and 5.", fields={name: ["Between 1 and 5."]}
                )
        if not 0 < self.pair_gap <= 4:
            raise InvalidError(
                "The gap of a pair must be above 0 and at most 4.",
                fields={"pair_gap": ["Above 0, at most 4."]},
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ReviewedOutput:
    """``mean`` is the weighted mean over scale criteria, on 1–5; None without any rating.

    ``failed_on`` names a critical criterion that a reviewer failed it on; empty where there is none.
    """

    output_id: int
    example_id: int
    text: str
    mean: float | None
    reviews: int
    failed_on: str
    is_simulated: bool


@dataclass(frozen=True)
class GivenCorrection:
    review_id: int
    output_id: int
    example_id: int
    text: str
    corrected_text: str
    is_simulated: bool


@dataclass(frozen=True)
class SelectedRow:
    kind: RowKind
    example_id: int
    chosen_text: str
    is_included: bool
    reason: str
    review_id: int | None = None
    chosen_output_id: int | None = None
    rejected_output_id: int | None = None
    is_good: bool | None = None


GOOD_FROM = 4.0
BAD_TO = 2.5
"""Means, on 1 to 5, at which an answer counts as good or as bad; between them it teaches neither."""

SIMULATED_OUT = "Simulated review: only a demonstration may export it"


def select_rows(
    outputs: Sequence[ReviewedOutput],
    corrections: Sequence[GivenCorrection],
    rules: SelectionRules,
    *,
    admits_simulated: bool,
) -> Iterator[SelectedRow]:
    """Every correction, every candidate pair, and every rated output, to be learned as it is and as one that
    is good or bad: each in or out with its reason.
    """
    written = list(_correction_rows(corrections, admits_simulated=admits_simulated))
    yield from written
    corrected = {correction.example_id for correction in corrections}
    yield from _output_rows(outputs, corrected, rules, admits_simulated=admits_simulated)
    preferred = {(row.rejected_output_id, row.chosen_text) for row in written if row.is_included}
    for row in _pair_rows(outputs, rules, admits_simulated=admits_simulated):
        if row.is_included and (row.rejected_output_id, row.chosen_text.strip()) in preferred:
            yield replace(row, is_included=False, reason="The same pair as a correction's")
        else:
            yield row
    yield from _rated_rows(outputs, admits_simulated=admits_simulated)


def is_good(output: ReviewedOutput, *, admits_simulated: bool) -> bool | None:
    """Whether an answer is one to give, by its mean alone; None where that says neither."""
    if output.mean is None or (output.is_simulated and not admits_simulated):
        return None
    if output.mean <= BAD_TO:
        return False
    return True if output.mean >= GOOD_FROM and not output.failed_on else None


def _correction_rows(
    corrections: Iterable[GivenCorrection], *, admits_simulated: bool
) -> Iterator[SelectedRow]:
    seen: set[tuple[int, str]] = set()
    for correction in corrections:
        text = correction.text.strip()
        same = (correction.example_id, " ".join(text.split()))
        included, reason = True, "Correction by a reviewer"
        if correction.is_simulated and not admits_simulated:
            included, reason = False, SIMULATED_OUT
        elif not text:
            included, reason = False, "The correction is empty"
        elif text == correction.corrected_text.strip():
            included, reason = False, "The correction equals the output"
        elif same in seen:
            included, reason = False, "Another reviewer wrote the same text"
        if included:
            seen.add(same)
        yield SelectedRow(
            kind=RowKind.ANSWER,
            example_id=correction.example_id,
            chosen_text=text,
            is_included=included,
            reason=reason,
            review_id=correction.review_id,
            rejected_output_id=correction.output_id,
        )
        # The best pair there is: what the expert wrote against what they corrected.
        yield SelectedRow(
            kind=RowKind.PREFERENCE,
            example_id=correction.example_id,
            chosen_text=text,
            is_included=included,
            reason="Correction preferred to its output" if included else reason,
            review_id=correction.review_id,
            rejected_output_id=correction.output_id,
        )


def _output_rows(
    outputs: Iterable[ReviewedOutput], corrected: set[int], rules: SelectionRules, *, admits_simulated: bool
) -> Iterator[SelectedRow]:
    for output in outputs:
        included, reason = False, ""
        if output.mean is None:
            reason = "Not rated"
        elif output.is_simulated and not admits_simulated:
            reason = SIMULATED_OUT
        elif output.failed_on:
            reason = f"A reviewer failed it on “{output.failed_on}”, which is critical"
        elif output.mean < rules.answer_floor:
            reason = f"Mean {output.mean:.1f} is under {rules.answer_floor:g}"
        elif output.example_id in corrected:
            reason = "The prompt has a correction, which goes first"
        else:
            plural = "" if output.reviews == 1 else "s"
            included, reason = True, f"Mean {output.mean:.1f} of {output.reviews} review{plural}"
        yield SelectedRow(
            kind=RowKind.ANSWER,
            example_id=output.example_id,
            chosen_text=output.text,
            is_included=included,
            reason=reason,
            chosen_output_id=output.output_id,
        )


def _pair_rows(
    outputs: Iterable[ReviewedOutput], rules: SelectionRules, *, admits_simulated: bool
) -> Iterator[SelectedRow]:
    by_example: dict[int, list[ReviewedOutput]] = defaultdict(list)
    for output in outputs:
        if output.mean is not None and (admits_simulated or not output.is_simulated):
            by_example[output.example_id].append(output)
    for example_id, rated in by_example.items():
        if len(rated) < 2:
            continue
        best = max(rated, key=lambda output: output.mean or 0)
        worst = min(rated, key=lambda output: output.mean or 0)
        gap = (best.mean or 0) - (worst.mean or 0)
        included, reason = True, f"Means {best.mean:.1f} and {worst.mean:.1f}"
        if gap < rules.pair_gap:
            included, reason = False, f"The means differ by {gap:.1f}, under {rules.pair_gap:g}"
        elif (best.mean or 0) < rules.pair_floor:
            included, reason = False, f"The better mean {best.mean:.1f} is under {rules.pair_floor:g}"
        elif best.failed_on:
            included, reason = False, f"A reviewer failed the better output on “{best.failed_on}”"
        elif best.text.strip() == worst.text.strip():
            included, reason = False, "Both outputs are the same text"
        yield SelectedRow(
            kind=RowKind.PREFERENCE,
            example_id=example_id,
            chosen_text=best.text,
            is_included=included,
            reason=reason,
            chosen_output_id=best.output_id,
            rejected_output_id=worst.output_id,
        )


def _rated_rows(outputs: Iterable[ReviewedOutput], *, admits_simulated: bool) -> Iterator[SelectedRow]:
    """Answers judged alone."""
    for output in outputs:
        good = is_good(output, admits_simulated=admits_simulated)
        plural = "" if output.reviews == 1 else "s"
        if output.mean is None:
            reason = "Not rated"
        elif output.is_simulated and not admits_simulated:
            reason = SIMULATED_OUT
        elif not has_visible(output.text):
            good, reason = None, "The answer is empty"
        elif good is not None:
            reason = f"{'Good' if good else 'Bad'}: mean {output.mean:.1f} of {output.reviews} review{plural}"
        elif output.mean >= GOOD_FROM:
            reason = f"A reviewer failed it on “{output.failed_on}”, which is critical"
        else:
            reason = f"Mean {output.mean:.1f} is neither good (from {GOOD_FROM:g}) nor bad (to {BAD_TO:g})"
        yield SelectedRow(
            kind=RowKind.RATED,
            example_id=output.example_id,
            chosen_text=output.text,
            is_included=good is not None,
            reason=reason,
            chosen_output_id=output.output_id,
            is_good=good,
        )
