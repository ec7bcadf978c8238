"""Diverging bars of the levels given, with the middle level at the centre."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from evalapp.charts.chart import Chart, chart_from, joined_clauses
from evalapp.charts.lines import grouped_labels

TONES = 5


class Segment(NamedTuple):
    """A level's part of the bar: its ends as shares from the centre, and a tone from 1 (lowest) to 5."""

    start: float
    end: float
    tone: int


class RatingLine(NamedTuple):
    """A bar: ``counts`` by level, lowest first, each with its name.

    If ``is_lower_better``, highest first, so that better levels are at the right on every bar, in the same
    colour.
    """

    group: str
    label: str
    counts: Sequence[tuple[str, int]]
    is_lower_better: bool = False

    @property
    def total(self) -> int:
        return sum(count for _, count in self.counts)


def segments(counts: Sequence[int]) -> list[Segment]:
    """One segment per level; empty without ratings."""
    total = sum(counts)
    if not total:
        return []
    shares = [count / total for count in counts]
    middle = len(counts) // 2
    start = -(sum(shares[:middle]) + (shares[middle] / 2 if len(counts) % 2 else 0))
    found = []
    for position, share in enumerate(shares):
        tone = 1 + round((TONES - 1) * position / max(1, len(counts) - 1))
        found.append(Segment(start, start + share, tone))
        start += share
    return found


def diverging_bars(lines: Sequence[RatingLine], *, names_one: bool = False) -> Chart:
    """One bar per line, with the bars of a group together; the table has every level's count. ``names_one``:
    a single group also gets its heading.
    """
    import altair as alt

    names = grouped_labels([(line.group, line.label) for line in lines], names_one=names_one)
    parts = [part for each in zip(names.keys, names.names, lines, strict=True) for part in _parts(*each)]
    ends = ("worst", "best") if any(line.is_lower_better for line in lines) else ("lowest", "highest")
    words = f"datum.value == 1 ? '{ends[0]}' : datum.value == {TONES} ? '{ends[1]}' : ''"
    drawing = (
        alt.Chart(alt.InlineData(values=parts))
        .mark_bar(stroke="var(--surface)", strokeWidth=1, height={"band": 0.8})
        .encode(
            x=alt.X(
                "start:Q",
                title="Share of ratings",
                scale=alt.Scale(domain=[-1, 1]),
                axis=alt.Axis(labelExpr="format(abs(datum.value), '.0%')", tickCount=5),
            ),
            x2="end:Q",
            y=names.axis(alt),
            color=alt.Color(
                "tone:O",
                title=None,
                scale=alt.Scale(domain=list(range(1, TONES + 1)), range="diverging"),
                legend=alt.Legend(labelExpr=words, columnPadding=2),
            ),
            tooltip=[
                alt.Tooltip("of:N", title="Rated"),
                alt.Tooltip("level:N", title="Level"),
                alt.Tooltip("count:Q", title="Ratings"),
                alt.Tooltip("share:Q", title="Share", format=".0%"),
            ],
        )
        .properties(width="container", height=names.height)
    )
    return chart_from(
        drawing,
        says=_summary(lines),
        columns=["Criterion", "Candidate", "Ratings", "By level, from the left"],
        rows=[
            [
                line.group,
                line.label,
                line.total,
                ", ".join(f"{level}: {count}" for level, count in line.counts),
            ]
            for line in lines
        ],
    )


def _parts(key: str, name: str, line: RatingLine) -> list[dict[str, Any]]:
    """Drawn parts of a line: one bar for each level that was given."""
    counted = zip(segments([count for _, count in line.counts]), line.counts, strict=False)
    return [
        {
            "line": key,
            "of": name,
            "level": level,
            "count": count,
            "share": count / line.total,
            "start": segment.start,
            "end": segment.end,
            "tone": segment.tone,
        }
        for segment, (level, count) in counted
        if count
    ]


def _summary(lines: Sequence[RatingLine]) -> str:
    clauses = []
    for group in dict.fromkeys(line.group for line in lines):
        rated = [(line, _share_above_middle(line)) for line in lines if line.group == group and line.total]
        if not rated:
            clauses.append(f"{group}: no ratings")
            continue
        best, worst = max(rated, key=lambda each: each[1]), min(rated, key=lambda each: each[1])
        side = "on the better side of" if best[0].is_lower_better else "above"
        if len(rated) == 1:
            clauses.append(f"{group}: {best[0].label} is {side} the middle level in {_share_words(*best)}")
            continue
        words = f"{group}: {best[0].label} is {side} the middle level most often ({_share_words(*best)})"
        if best[1] > worst[1]:
            words += f", {worst[0].label} least often ({_share_words(*worst)})"
        else:
            words = f"{group}: all are {side} the middle level equally often ({_share_words(*best)})"
        clauses.append(words)
    return joined_clauses(clauses)


def _share_above_middle(line: RatingLine) -> float:
    levels = len(line.counts)
    above = sum(count for position, (_, count) in enumerate(line.counts) if 2 * position > levels - 1)
    return above / line.total


def _share_words(line: RatingLine, share: float) -> str:
    return f"{share:.0%} of {line.total}"
