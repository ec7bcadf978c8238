"""What a sheet of paper shows: nothing runs off it, and nothing is set over something else."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest
import typst

from evalapp.charts.diverging import RatingLine, diverging_bars
from evalapp.charts.lines import MOST_ON_A_SHEET, split_lines
from evalapp.reports import pdf_report
from evalapp.reports.document import Block, Document, facts, paragraph, picture

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
MARGIN_MM = 18
FOOT_MM = 279 - 20
POINTS_PER_MM = 72 / 25.4
HASH = "0123456789abcdef" * 4
NAME = "Accuracy of the statements made"


class _Run(NamedTuple):
    """A piece of text in a line, in points."""

    baseline: float
    start: float
    end: float


def _runs(node: ET.Element, x: float = 0, y: float = 0) -> Iterator[_Run]:
    numbers = [float(each) for each in re.findall(r"-?[\d.]+", node.get("transform", ""))]
    if numbers:
        x, y = x + numbers[-2], y + numbers[-1]
    glyphs = [float(each.get("x", 0)) for each in node.findall(f"{SVG}use") if each.get(LINK)]
    if glyphs:
        yield _Run(round(y, 1), x + min(glyphs), x + max(glyphs))
    for child in node:
        yield from _runs(child, x, y)


def _pages(*blocks: Block | None) -> list[list[_Run]]:
    return [list(_runs(page)) for page in _sheets(*blocks)]


def _sheets(*blocks: Block | None) -> list[ET.Element]:
    document = Document("Report", "Project", "made", "banner")
    document.section("Found", blocks)
    made = typst.compile(pdf_report._files(document), format="svg")
    pages = made if isinstance(made, list) else [made]
    return [ET.fromstring(page) for page in pages]


def _pictures(node: ET.Element, x: float = 0, y: float = 0) -> Iterator[tuple[float, float]]:
    """How far right and down each reaches, in points."""
    numbers = [float(each) for each in re.findall(r"-?[\d.]+", node.get("transform", ""))]
    if numbers:
        x, y = x + numbers[-2], y + numbers[-1]
    if node.tag == f"{SVG}image":
        yield x + float(node.get("width", 0)), y + float(node.get("height", 0))
    for child in node:
        yield from _pictures(child, x, y)


def _table(heads: list[str], *, words: int = 1, reason: str = "") -> Block:
    figure = {"main": "0.51 (0.32 to 0.64)", "beside": "n = 120; among 4 candidates"}
    row = [{"main": NAME, "beside": ""} if at < words else figure for at in range(len(heads))]
    second = [*row[:-1], {"main": reason, "beside": ""}] if reason else row
    columns = [{"label": label, "is_figure": at >= words} for at, label in enumerate(heads)]
    return {"kind": "table", "title": "T", "columns": columns, "rows": [row, second], "note": ""}


CORRELATIONS = [
    "Criterion", "Spearman, all outputs", "Spearman within items", "Spearman between candidates",
    "Kendall’s tau-b",
    "Pearson", "Pairs ranked alike",
]  # fmt: skip


def test_a_hash_beside_a_long_name_stays_on_the_paper() -> None:
    name = "SHA-256 of the reviews, as in a gate evaluation (96 records)"
    for value in (HASH, "W" * 64):
        (runs,) = _pages(facts([(name, value), ("Data of this report, SHA-256", HASH)]))
        edge = (210 - MARGIN_MM) * POINTS_PER_MM
        assert max(run.end for run in runs) < edge


@pytest.mark.parametrize(
    "block",
    [
        _table(CORRELATIONS),
        _table(CORRELATIONS, reason="The metric did not vary among the outputs of at least four candidates"),
        _table(["First", "Second", "Win rate", "First better", "Second better", "Equal", "Both bad"],
        words=2),
    ],
    ids=["six figures", "a reason among them", "two names"],
)  # fmt: skip
def test_words_keep_their_room_beside_many_figures(block: Block) -> None:
    for runs in _pages(block):
        lines = defaultdict(list)
        for run in runs:
            lines[run.baseline].append(run)
        for line in lines.values():
            for left, right in pairwise(sorted(line, key=lambda run: run.start)):
                assert left.end < right.start
        assert max(run.end for run in runs) < (210 - MARGIN_MM) * POINTS_PER_MM


CANDIDATES = [
    f"Candidate {number} tuned on the corrections of May, rank {number}, by hand" for number in range(8)
]
BARS = [
    RatingLine(criterion, candidate, [(str(level), level) for level in range(1, 6)])
    for criterion in ("Tone", "Accuracy", "Completeness", "Usefulness")
    for candidate in CANDIDATES
]


@pytest.mark.parametrize("most", [MOST_ON_A_SHEET, None])
def test_a_chart_stays_above_the_foot_of_its_page(most: int | None) -> None:
    charts = [diverging_bars(part) for part in split_lines(BARS, most)]
    before = paragraph("Words before it. " * 120)
    sheets = _sheets(before, *(picture("Ratings", chart) for chart in charts))
    found = [each for sheet in sheets for each in _pictures(sheet)]
    assert len(found) == len(charts)
    for right, down in found:
        assert right <= (210 - MARGIN_MM) * POINTS_PER_MM + 0.1
        assert down <= FOOT_MM * POINTS_PER_MM + 0.1


def test_many_lines_are_drawn_in_charts_of_whole_criteria() -> None:
    parts = split_lines(BARS, MOST_ON_A_SHEET)
    assert [[line.group for line in part][::8] for part in parts] == [
        ["Tone", "Accuracy", "Completeness"],
        ["Usefulness"],
    ]
    assert [line for part in parts for line in part] == BARS
    many = [RatingLine("Tone", str(number), []) for number in range(60)]
    assert [len(part) for part in split_lines(many, MOST_ON_A_SHEET)] == [27, 27, 6]
