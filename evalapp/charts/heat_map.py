"""A heat map of the agreement of pairs of reviewers."""

from collections.abc import Sequence
from typing import NamedTuple

from evalapp.charts.chart import Chart, chart_from
from evalapp.charts.forest import in_words
from evalapp.core.number_format import as_text
from evalapp.measure import Measure

CELL = 34
TINT = 0.55
"""Opacity of the colours, so that the numbers in the cells are legible in either theme."""


class PairAgreement(NamedTuple):
    first: str
    second: str
    measure: Measure


def agreement_heat_map(names: Sequence[str], pairs: Sequence[PairAgreement], *, of: str) -> Chart:
    """Every reviewer against every other, each pair on both sides of the diagonal; ``of`` names the measure.

    A pair without a value is an empty cell, with its reason in the table.
    """
    import altair as alt

    cells = [
        {"across": one, "down": other, "value": pair.measure.value, "words": in_words(pair.measure)}
        for pair in pairs
        if pair.measure.value is not None
        for one, other in ((pair.first, pair.second), (pair.second, pair.first))
    ]
    order = list(names)
    base = alt.Chart(alt.InlineData(values=cells)).encode(
        x=alt.X(
            "across:N",
            title=None,
            scale=alt.Scale(domain=order),
            axis=alt.Axis(orient="top", labelAngle=-45 if len(order) > 4 else 0, domain=False, ticks=False),
        ),
        y=alt.Y(
            "down:N", title=None, scale=alt.Scale(domain=order), axis=alt.Axis(domain=False, ticks=False)
        ),
        tooltip=[
            alt.Tooltip("across:N", title="Reviewer"),
            alt.Tooltip("down:N", title="with"),
            alt.Tooltip("words:N", title=of),
        ],
    )
    squares = base.mark_rect(opacity=TINT).encode(
        color=alt.Color(
            "value:Q",
            title=of,
            scale=alt.Scale(
                domain=[-1, 0, 1],
                range=["var(--rating-1)", "var(--rating-3)", "var(--rating-5)"],
                interpolate="rgb",
            ),
            legend=alt.Legend(gradientLength=140, titleLimit=300),
        )
    )
    numbers = base.mark_text().encode(text=alt.Text("value:Q", format=".2f"))
    drawing = alt.layer(squares, numbers).properties(width="container", height=CELL * len(order))
    return chart_from(
        drawing,
        says=_summary(pairs, of),
        columns=["Reviewer", "with", of, "n"],
        rows=[[pair.first, pair.second, in_words(pair.measure), pair.measure.n] for pair in pairs],
    )


def _summary(pairs: Sequence[PairAgreement], of: str) -> str:
    known = sorted((pair for pair in pairs if pair.measure.value is not None), key=_value)
    if not known:
        return f"{of} is defined for no two reviewers."
    least, most = known[0], known[-1]
    if len(known) == 1:
        return f"{of} of {most.first} and {most.second} is {as_text(_value(most), digits=2)}."
    return (
        f"{of} is highest between {most.first} and {most.second}, {as_text(_value(most), digits=2)}, "
        f"and lowest between {least.first} and {least.second}, {as_text(_value(least), digits=2)}."
    )


def _value(pair: PairAgreement) -> float:
    return pair.measure.value or 0.0
