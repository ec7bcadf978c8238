"""Line charts: losses of several trainings, and a measure against the number of examples."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from evalapp.charts.chart import Chart, chart_from

HEIGHT = 280
# A browser cannot draw more points than pixels, and eight lines with more are slow on a phone.
MOST_POINTS = 300
# Table rows per line, enough to read its course.
MOST_ROWS = 40


class Curve(NamedTuple):
    """A line; ``points`` are (x, y) with increasing x."""

    label: str
    points: list[tuple[float, float]]


class SpreadPoint(NamedTuple):
    """A mean ``y`` of ``number`` values, with the ends of their range, ``low`` and ``high``."""

    x: float
    y: float
    low: float
    high: float
    number: int


class SpreadCurve(NamedTuple):
    label: str
    points: list[SpreadPoint]


def overlaid_curves(curves: Sequence[Curve], *, x: str, y: str, says: str, marks: bool) -> Chart:
    """Curves in one frame, with colours and shapes in the given order.

    ``x`` and ``y`` name the axes. ``marks`` draws every point, for curves with few; otherwise only the last.
    """
    import altair as alt

    values = [
        {"line": curve.label, "x": point[0], "y": point[1], "is_last": point == curve.points[-1]}
        for curve in curves
        for point in _thinned(curve.points, MOST_POINTS)
    ]
    domain = [curve.label for curve in curves]
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("x:Q", title=x, axis=alt.Axis(grid=False)),
        y=alt.Y("y:Q", title=y, scale=alt.Scale(zero=False)),
        color=_colour(alt, domain),
        tooltip=[
            alt.Tooltip("line:N", title="Training"),
            alt.Tooltip("x:Q", title=x, format=",.4~g"),
            alt.Tooltip("y:Q", title=y, format=".4f"),
        ],
    )
    marked = base if marks else base.transform_filter("datum.is_last")
    drawing = alt.layer(
        base.mark_line(strokeWidth=1.75, aria=False),
        marked.mark_point(size=50, opacity=1).encode(shape=_shape(alt, domain)),
    ).properties(width="container", height=HEIGHT)
    rows = [
        [curve.label, f"{point[0]:,.4g}", f"{point[1]:.4f}"]
        for curve in curves
        for point in _thinned(curve.points, MOST_ROWS)
    ]
    return chart_from(drawing, says=says, columns=["Training", x, y], rows=rows)


def spread_curves(curves: Sequence[SpreadCurve], *, x: str, y: str, says: str) -> Chart:
    """Means with the range of their values; the x axis is logarithmic with a tick at each value."""
    import altair as alt

    values = [{"line": curve.label, **point._asdict()} for curve in curves for point in curve.points]
    domain = [curve.label for curve in curves]
    ticks = _spaced_values(sorted({point.x for curve in curves for point in curve.points}))
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X(
            "x:Q",
            title=x,
            scale=alt.Scale(type="log", nice=False, padding=24),
            axis=alt.Axis(values=ticks, format=",.0f", grid=False),
        ),
        color=_colour(alt, domain),
        tooltip=[
            alt.Tooltip("line:N", title="Settings"),
            alt.Tooltip("x:Q", title=x, format=",.0f"),
            alt.Tooltip("y:Q", title=y, format=".4~g"),
            alt.Tooltip("low:Q", title="lowest", format=".4~g"),
            alt.Tooltip("high:Q", title="highest", format=".4~g"),
            alt.Tooltip("number:Q", title="Trainings"),
        ],
    )
    scale = alt.Scale(zero=False)
    reach = base.mark_rule(strokeWidth=2, opacity=0.7, aria=False).encode(
        y=alt.Y("low:Q", title=y, scale=scale), y2="high:Q"
    )
    line = base.mark_line(strokeWidth=1.75, aria=False).encode(y=alt.Y("y:Q", title=y, scale=scale))
    points = base.mark_point(size=70, opacity=1).encode(
        y=alt.Y("y:Q", title=y, scale=scale), shape=_shape(alt, domain)
    )
    drawing = alt.layer(reach, line, points).properties(width="container", height=HEIGHT)
    rows = [
        [curve.label, f"{point.x:,.0f}", f"{point.y:.4g}", _range_words(point), point.number]
        for curve in curves
        for point in curve.points
    ]
    return chart_from(
        drawing, says=says, columns=["Settings", x, y, "Lowest to highest", "Trainings"], rows=rows
    )


def _range_words(point: SpreadPoint) -> str:
    return f"{point.low:.4g} to {point.high:.4g}" if point.number > 1 else "–"


def _colour(alt: Any, domain: list[str]) -> Any:
    return alt.Color("line:N", scale=alt.Scale(domain=domain), legend=_legend(alt, domain))


def _shape(alt: Any, domain: list[str]) -> Any:
    # The same legend as for colour: Vega-Lite merges the two, and warns if they differ.
    return alt.Shape("line:N", scale=alt.Scale(domain=domain), legend=_legend(alt, domain))


def _legend(alt: Any, domain: list[str]) -> Any:
    return None if len(domain) < 2 else alt.Legend(title=None, columns=1, labelLimit=480)


def _spaced_values(values: Sequence[float]) -> list[float]:
    """Values far enough apart on a logarithmic axis that their labels do not overlap."""
    found: list[float] = []
    for value in values:
        if not found or value >= 1.15 * found[-1]:
            found.append(value)
    return found


def _thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most this many points, evenly spaced, including the last."""
    if len(points) <= most:
        return list(points)
    last = len(points) - 1
    return [points[round(last * position / (most - 1))] for position in range(most)]
