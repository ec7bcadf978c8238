"""The weekly chart of a criterion: each week's figure with its interval, the smoothed line, the limits."""

from functools import partial
from typing import Any

from evalapp.charts.chart import Chart
from evalapp.core.figures import as_percent, as_text
from evalapp.monitoring.following import Followed, is_enough
from evalapp.monitoring.models import Kpi


def weekly_chart(followed: Followed) -> Chart:
    """Weeks across; a week with fewer than 30 reviews is drawn hollow and moves no line."""
    rows = _rows(followed)
    columns = [
        "Week",
        "Ended",
        "Rate" if followed.is_rate else "Mean",
        "95% interval",
        "Reviews",
        "Smoothed",
        "Limit",
        "State",
    ]
    says = _says(followed, rows)
    spec = {**_spec(followed, rows), "description": says}
    return Chart(spec, columns, [_cells(followed, row) for row in rows], says)


def _says(followed: Followed, rows: list[dict[str, Any]]) -> str:
    """From where to where it went, and how far the smoothed line is from what it is held against."""
    known = [row for row in rows if row["value"] is not None]
    if not known:
        return f"{followed.last.criterion_name}: no week has a figure."
    first, last = known[0], known[-1]
    words = f"{followed.last.criterion_name}: {_figure(followed, first['value'])} in week {first['week']}"
    if last is not first:
        words += f", {_figure(followed, last['value'])} in week {last['week']}"
    if last["smoothed"] is not None:
        words += f"; smoothed {_figure(followed, last['smoothed'])}"
    if followed.threshold is not None:
        words += f", against a threshold of {_figure(followed, followed.threshold)}"
    return f"{words}."


def _rows(followed: Followed) -> list[dict[str, Any]]:
    points = followed.chart.points if followed.chart is not None else [None] * len(followed.kpis)
    return [
        {
            "week": kpi.draw.number,
            "ended": f"{kpi.draw.ends_at:%Y-%m-%d}",
            "value": kpi.value,
            "low": kpi.low,
            "high": kpi.high,
            "reviews": kpi.reviews,
            "smoothed": smoothed,
            "limit": point.limit if point is not None else None,
            "state": point.state if point is not None and is_enough(kpi) else _without_chart(kpi),
            "data": "30 reviews or more" if is_enough(kpi) else "not enough data",
        }
        for kpi, smoothed, point in zip(followed.kpis, followed.smoothed, points, strict=True)
    ]


def _without_chart(kpi: Kpi) -> str:
    return "baseline" if is_enough(kpi) else "not enough data"


def _cells(followed: Followed, row: dict[str, Any]) -> list[Any]:
    figure = partial(_figure, followed)
    interval = "–" if row["low"] is None else f"{figure(row['low'])} to {figure(row['high'])}"
    return [
        row["week"], row["ended"], figure(row["value"]), interval, row["reviews"], figure(row["smoothed"]),
        figure(row["limit"]), row["state"],
    ]  # fmt: skip


def _figure(followed: Followed, value: float | None) -> str:
    return as_percent(value) if followed.is_rate else as_text(value, digits=2)


def _spec(followed: Followed, rows: list[dict[str, Any]]) -> dict[str, Any]:
    # Imported here: pages without a chart do not pay for it.
    import altair as alt

    form = ".0%" if followed.is_rate else ".2f"
    better = ", lower is better" if followed.last.lower_is_better else ""
    title = f"{followed.last.criterion_name}, {'rate' if followed.is_rate else 'mean'}{better}"
    base = alt.Chart().encode(x=alt.X("week:O", title="Week", axis=alt.Axis(labelAngle=0, labelOverlap=True)))
    axis = alt.Axis(format=form)
    figure = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=axis)
    tips = [
        alt.Tooltip("week:O", title="Week"),
        alt.Tooltip("ended:N", title="Ended"),
        alt.Tooltip("value:Q", title=title, format=form),
        alt.Tooltip("smoothed:Q", title="Smoothed", format=form),
        alt.Tooltip("reviews:Q", title="Reviews"),
        alt.Tooltip("state:N", title="State"),
    ]
    layers = [
        base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_point(size=60).encode(
            y=figure,
            tooltip=tips,
            fillOpacity=alt.condition("datum.reviews >= 30", alt.value(1), alt.value(0)),
        ),
        base.mark_line(strokeWidth=2.5).encode(y=alt.Y("smoothed:Q", title=title)),
    ]
    if any(row["limit"] is not None for row in rows):
        layers.append(base.mark_line(strokeDash=[4, 3]).encode(y=alt.Y("limit:Q", title=title)))
    if followed.threshold is not None:
        line = alt.Chart(alt.InlineData(values=[{"threshold": followed.threshold}]))
        layers.append(line.mark_rule(strokeDash=[1, 3], strokeWidth=2).encode(y="threshold:Q"))
    chart = alt.layer(*layers, data=alt.InlineData(values=rows)).properties(width="container", height=220)
    spec: dict[str, Any] = chart.to_dict()
    return spec
