"""Compared answers of which the verdicts differ, those farthest apart first, as lists show them."""

from typing import NamedTuple

from evalapp.analysis.pair_lists import JudgementLine, as_lines
from evalapp.analysis.pairs import Judged, Judgements
from evalapp.judgements.apart import Apart, told_apart


class ApartLines(NamedTuple):
    """Verdicts that differ, with what a list shows of each."""

    apart: Apart[Judged]
    lines: list[JudgementLine]


def verdicts_apart(judgements: Judgements) -> list[Apart[Judged]]:
    """`told_apart` of a campaign's judgements as they are analysed."""
    return told_apart(judgements.rows)


def with_lines(judgements: Judgements, chosen: list[Apart[Judged]]) -> list[ApartLines]:
    """Read for these alone."""
    lines = iter(as_lines(judgements, [row for each in chosen for row in each.rows]))
    return [ApartLines(each, [next(lines) for _ in each.rows]) for each in chosen]
