"""A histogram of sizes, with a line at the limit."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from evalapp.charts.chart import Chart, chart_from

HEIGHT = 200


class Bin(NamedTuple):
    """``first`` and ``last`` are the smallest and the largest whole size in it."""

    first: int
    last: int
    number: int


class CutoffLine(NamedTuple):
    at: int
    says: str
    """Text beside the line."""


def histogram(bins: Sequence[Bin], cut: CutoffLine, *, size: str, counted: str, says: str) -> Chart:
    """One bar per bin; bins wholly beyond the cutoff have the colour of the lowest rating. ``size`` and
    ``counted`` name the axes, such as "Tokens" and "Rows".
    """
    import altair as alt

    bars = (
        alt.Chart(
            alt.InlineData(
                values=[
                    {
                        "first": each.first,
                        "after": each.last + 1,
                        "sizes": f"{each.first:,} to {each.last:,}",
                        "count": each.number,
                        "zero": 0,
                        "beyond": each.first >= cut.at,
                    }
                    for each in bins
                ]
            )
        )
        .mark_rect(stroke="var(--surface)", strokeWidth=1)
        .encode(
            x=alt.X("first:Q", title=size, scale=alt.Scale(zero=True), axis=alt.Axis(grid=False)),
            x2="after:Q",
            y=alt.Y("count:Q", title=counted, axis=alt.Axis(tickMinStep=1)),
            y2="zero:Q",
            color=alt.condition(
                "datum.beyond", alt.value("var(--rating-1)"), alt.value("var(--candidate-1)")
            ),
            tooltip=[
                alt.Tooltip("sizes:N", title=size),
                alt.Tooltip("count:Q", title=counted, format=","),
            ],
        )
    )
    # Above the bars, on the side with more room.
    side: Literal["left", "right"] = "left" if cut.at < bins[-1].last / 2 else "right"
    line = alt.Chart(alt.InlineData(values=[{"at": cut.at, "says": cut.says}]))
    drawing = (
        (
            bars
            + line.mark_rule(strokeDash=[4, 3], strokeWidth=1.5).encode(x="at:Q")
            + line.mark_text(align=side, baseline="bottom", y=-4).encode(x="at:Q", text="says:N")
        )
        .properties(width="container", height=HEIGHT)
    )  # fmt: skip
    return chart_from(
        drawing,
        says=says,
        columns=[size, counted],
        rows=[[f"{each.first:,} to {each.last:,}", each.number] for each in bins if each.number],
    )
