"""The weekly chart of a criterion: each week's metric with its interval, the smoothed line, the limits."""

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from evalapp.charts.chart import Chart
from evalapp.charts.theme import Spec
from evalapp.core.number_format import as_percent, as_text
from evalapp.monitoring.models import WeeklyMetric
from evalapp.monitoring.trends import NOT_ENOUGH, CriterionTrend, is_enough

METRIC, ALARM = "var(--candidate-1)", "var(--rating-1)"
SMOOTHED, LIMIT, THRESHOLD = "Smoothed", "Limit", "Threshold"


class _Line(NamedTuple):
    dash: list[int]
    colour: str


LINES = {
    SMOOTHED: _Line([1, 0], METRIC),
    LIMIT: _Line([6, 4], "var(--ink-soft)"),
    THRESHOLD: _Line([1, 3], "var(--ink)"),
}


def weekly_chart(followed: CriterionTrend, deployed: Sequence[tuple[dt.date, str]] = ()) -> Chart:
    """The weekly chart, with weeks along the horizontal axis.

    A week with fewer than 30 reviews is drawn hollow and moves no line; an alarm is a diamond. ``deployed``:
    day → version that began to serve, drawn as a numbered line in the week of that day.
    """
    rows = _rows(followed)
    weeks = [each.weekly_sample for each in followed.metrics]
    starts = [
        (week.number, label)
        for day, label in deployed
        for week in weeks
        if week.begins_at.date() <= day < week.ends_at.date()
    ]
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
    says = _description(followed, rows, starts)
    spec = {**_spec(followed, rows, starts), "description": says}
    return Chart(spec, columns, [_cells(followed, row) for row in rows], says)


def _description(followed: CriterionTrend, rows: list[dict[str, Any]], starts: list[tuple[int, str]]) -> str:
    """A sentence on the first and last values, and on the smoothed line's distance from its limit."""
    known = [row for row in rows if row["value"] is not None]
    if not known:
        return f"{followed.last.criterion_name}: no week has a value."
    first, last = known[0], known[-1]
    words = (
        f"{followed.last.criterion_name}: {_value_in_words(followed, first['value'])} in week {first['week']}"
    )
    if last is not first:
        words += f", {_value_in_words(followed, last['value'])} in week {last['week']}"
    if last["smoothed"] is not None:
        words += f"; smoothed {_value_in_words(followed, last['smoothed'])}"
    if followed.threshold is not None:
        words += f", against a threshold of {_value_in_words(followed, followed.threshold)}"
    return f"{words}{deployments_in_words([(f'in week {week}', label) for week, label in starts])}."


def deployments_in_words(starts: Sequence[tuple[str, str]]) -> str:
    """The end of a sentence that explains the numbered deployments: when, label; "" without deployments."""
    words = [f"({number}) {label} {when}" for number, (when, label) in enumerate(starts, start=1)]
    return f"; deployed: {', '.join(words)}" if words else ""


def _rows(followed: CriterionTrend) -> list[dict[str, Any]]:
    written = partial(_value_in_words, followed)
    points = followed.chart.points if followed.chart is not None else [None] * len(followed.metrics)
    return [
        {
            "week": metric.weekly_sample.number,
            "ended": f"{metric.weekly_sample.ends_at:%Y-%m-%d}",
            "value": metric.value,
            "low": metric.low,
            "high": metric.high,
            "reviews": metric.reviews,
            "smoothed": smoothed,
            "limit": point.limit if point is not None else None,
            "state": point.state
            if point is not None and is_enough(metric)
            else _reason_without_chart(metric),
            "data": "enough" if is_enough(metric) else NOT_ENOUGH,
            "interval": "–" if metric.low is None else f"{written(metric.low)} to {written(metric.high)}",
        }
        for metric, smoothed, point in zip(followed.metrics, followed.smoothed, points, strict=True)
    ]


def _reason_without_chart(metric: WeeklyMetric) -> str:
    return "baseline" if is_enough(metric) else NOT_ENOUGH


def _cells(followed: CriterionTrend, row: dict[str, Any]) -> list[Any]:
    written = partial(_value_in_words, followed)
    return [
        row["week"], row["ended"], written(row["value"]), row["interval"], row["reviews"],
        written(row["smoothed"]),
        written(row["limit"]), row["state"],
    ]  # fmt: skip


def _value_in_words(followed: CriterionTrend, value: float | None) -> str:
    return as_percent(value) if followed.is_rate else as_text(value, digits=2)


def _spec(followed: CriterionTrend, rows: list[dict[str, Any]], deployed: list[tuple[int, str]]) -> Spec:
    # Imported here: pages without a chart do not pay for it.
    import altair as alt

    form = ".0%" if followed.is_rate else ".2f"
    better = ", lower is better" if followed.last.lower_is_better else ""
    title = f"{'Rate' if followed.is_rate else 'Mean'}{better}"
    axis = alt.Axis(format=form)
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=_weeks(alt))
    reach = base.mark_rule(aria=False).encode(y=alt.Y("low:Q", title=title, axis=axis), y2="high:Q")
    alarm, is_few = "datum.state === 'alarm'", "datum.data !== 'enough'"
    hollow, alarming, usual = (alt.value(colour) for colour in ("var(--surface)", ALARM, METRIC))
    inside: Any = alt.when(is_few).then(hollow).when(alarm).then(alarming).otherwise(usual)
    points = base.mark_point(size=60, filled=False, strokeWidth=1.5, opacity=1).encode(
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=axis),
        shape=alt.condition(alarm, alt.value("diamond"), alt.value("circle")),
        size=alt.condition(alarm, alt.value(130), alt.value(60)),
        stroke=alt.condition(alarm, alt.value(ALARM), alt.value(METRIC)),
        fill=inside,
        tooltip=[
            alt.Tooltip("week:O", title="Week"),
            alt.Tooltip("ended:N", title="Ended"),
            alt.Tooltip("value:Q", title=title, format=form),
            alt.Tooltip("interval:N", title="95% interval"),
            alt.Tooltip("smoothed:Q", title=SMOOTHED, format=form),
            alt.Tooltip("limit:Q", title=LIMIT, format=form),
            alt.Tooltip("reviews:Q", title="Reviews"),
            alt.Tooltip("state:N", title="State"),
        ],
    )  # fmt: skip
    starts = deployment_marks(alt, "week", [week for week, _ in deployed], _weeks(alt))
    drawing = alt.layer(reach, *_lines(alt, followed, rows, title), points, *starts)
    spec: Spec = drawing.properties(width="container", height=220).to_dict(validate=False)
    spec.pop("config", None)
    return spec


def deployment_marks(alt: Any, name: str, places: Sequence[int | str], across: Any) -> list[Any]:
    """A line at each of the ``places`` on the named axis, numbered by the deployments that began there."""
    numbers: dict[int | str, str] = {}
    for number, place in enumerate(places, start=1):
        numbers[place] = f"{numbers[place]}, {number}" if place in numbers else str(number)
    if not numbers:
        return []
    marks = [{name: place, "deployment": said} for place, said in numbers.items()]
    starts = alt.Chart(alt.InlineData(values=marks)).encode(x=across)
    return [
        starts.mark_rule(strokeDash=[2, 2], color="var(--ink-soft)", aria=False),
        starts.mark_text(
            align="left", baseline="top", dx=3, y=0, fontSize=12, color="var(--ink)", aria=False
        ).encode(text="deployment:N"),
    ]


def _weeks(alt: Any) -> Any:
    return alt.X("week:O", title="Week", axis=alt.Axis(labelAngle=0, labelOverlap=True))


def _lines(alt: Any, followed: CriterionTrend, rows: list[dict[str, Any]], title: str) -> list[Any]:
    """The limits and thresholds of the chart, told apart by dashes and named above it."""
    moving = {SMOOTHED: [row["smoothed"] for row in rows], LIMIT: [row["limit"] for row in rows]}
    shown = {name: values for name, values in moving.items() if any(value is not None for value in values)}
    points = [
        {"week": row["week"], "line": name, "at": value}
        for name, values in shown.items()
        for row, value in zip(rows, values, strict=True)
    ]
    names = [*shown, *([THRESHOLD] if followed.threshold is not None else [])]
    legend = alt.Legend(symbolType="stroke", symbolSize=300, symbolStrokeWidth=2)
    dashes = alt.Scale(domain=names, range=[LINES[name].dash for name in names])
    colours = alt.Scale(domain=names, range=[LINES[name].colour for name in names])
    look = {
        "y": alt.Y("at:Q", title=title),
        "strokeDash": alt.StrokeDash("line:N", title=None, scale=dashes, legend=legend),
        "color": alt.Color("line:N", title=None, scale=colours, legend=legend),
    }
    lines = alt.Chart(alt.InlineData(values=points)).mark_line(strokeWidth=2, aria=False)
    layers = [lines.encode(x=_weeks(alt), **look)]
    alone = [name for name, values in shown.items() if sum(value is not None for value in values) == 1]
    if alone:
        # A single week makes no line.
        known = [point for point in points if point["line"] in alone and point["at"] is not None]
        level = alt.Chart(alt.InlineData(values=known)).encode(
            x=_weeks(alt), y=look["y"], color=look["color"]
        )
        layers.append(level.mark_tick(orient="horizontal", thickness=2, size=24, aria=False))
    if followed.threshold is not None:
        level = alt.Chart(alt.InlineData(values=[{"line": THRESHOLD, "at": followed.threshold}]))
        # From edge to edge, even with a single week.
        layers.append(level.mark_rule(strokeWidth=2, aria=False).encode(**look))
    return layers
