"""The chart of a daily metric, with its limits and the deployments."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from evalapp.charts.chart import Chart, chart_from
from evalapp.core.number_format import as_percent, as_text
from evalapp.monitoring.charts import deployment_marks, deployments_in_words
from evalapp.monitoring.daily.series import Day, DayState, Series

_MEAN, _OUTSIDE = "var(--candidate-1)", "var(--rating-1)"


def daily_chart(series: Series, deployed: Sequence[tuple[dt.date, str]] = ()) -> Chart:
    """The chart, with days along the horizontal axis.

    A day with fewer than 30 values is hollow; a day outside its limits or past the threshold is a diamond.
    Limits are a band, thresholds lines. ``deployed``: day → version that began to serve, a numbered line.
    """
    import altair as alt

    form = ".0%" if series.is_share else ",.3~f"
    title = "Share" if series.is_share else "Number" if series.is_count else "Mean"
    rows = [_row(series, each) for each in series.days]
    axis = alt.X("day:T", title="Day", axis=alt.Axis(format="%-d %b", labelOverlap=True))
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(format=form))
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=axis)
    band = base.mark_area(opacity=0.12, color=_MEAN, aria=False).encode(
        y=alt.Y("low:Q", title=title), y2="high:Q"
    )
    line = base.mark_line(strokeWidth=1.5, color=_MEAN, aria=False).encode(y=y)
    outside = f"datum.state === '{DayState.OUTSIDE}' || datum.state === '{DayState.PAST}'"
    points = base.mark_point(filled=False, strokeWidth=1.5, opacity=1).encode(
        y=y,
        shape=alt.condition(outside, alt.value("diamond"), alt.value("circle")),
        size=alt.condition(outside, alt.value(130), alt.value(40)),
        stroke=alt.condition(outside, alt.value(_OUTSIDE), alt.value(_MEAN)),
        fill=alt.when(f"datum.state === '{DayState.NOT_TESTED}'")
        .then(alt.value("var(--surface)"))
        .when(outside)
        .then(alt.value(_OUTSIDE))
        .otherwise(alt.value(_MEAN)),
        tooltip=[
            alt.Tooltip("day:T", title="Day", format="%-d %B %Y"),
            alt.Tooltip("value:Q", title=title, format=form),
            alt.Tooltip("n:Q", title="Outputs", format=","),
            alt.Tooltip("state:N", title="State"),
        ],
    )
    layers = [band, *_threshold_lines(series), line, points]
    layers += deployment_marks(alt, "day", [day.isoformat() for day, _ in deployed], axis)
    drawing = alt.layer(*layers).properties(width="container", height=240)
    columns = ["Day", title, "Outputs", "Limits", "State"]
    cells = [
        [row["day"], written(series, row["value"]), row["n"], row["limits"], row["state"]] for row in rows
    ]
    return chart_from(drawing, says=_description(series, deployed), columns=columns, rows=cells)


def _threshold_lines(series: Series) -> list[Any]:
    import altair as alt

    values = [{"value": each} for each in series.threshold if each is not None]
    if not values:
        return []
    lines = alt.Chart(alt.InlineData(values=values)).mark_rule(strokeDash=[6, 4], color=_OUTSIDE, aria=False)
    return [lines.encode(y="value:Q")]


def written(series: Series, value: float | None) -> str:
    """A value of the metric, formatted for people."""
    if series.is_count and value is not None:
        return as_text(int(value))
    return as_percent(value) if series.is_share else as_text(value, digits=2)


def limit_in_words(series: Series, value: float) -> str:
    """A threshold as it was entered, not rounded."""
    return f"{round(value * 100, 6):g}%" if series.is_share else f"{value:,.10g}"


def _row(series: Series, each: Day) -> dict[str, Any]:
    limits = each.limits
    return {
        "day": each.day.isoformat(),
        "value": series.value_of(each.sums),
        "n": each.sums.n,
        "low": limits.low if limits else None,
        "high": limits.high if limits else None,
        "limits": f"{written(series, limits.low)} to {written(series, limits.high)}" if limits else "–",
        "state": series.state_of(each),
    }


def _description(series: Series, deployed: Sequence[tuple[dt.date, str]]) -> str:
    known = [each for each in series.days if each.sums.n]
    if not known:
        return f"{series.label}: no day has a value."
    first, last = known[0], known[-1]
    words = f"{series.label}: {written(series, series.value_of(last.sums))} on {_date(last)}"
    if last is not first:
        words += f", {written(series, series.value_of(first.sums))} on {_date(first)}"
    outside = [_date(each) for each in known if each.is_outside]
    for value, side in zip(series.threshold, ("under", "over"), strict=True):
        if value is not None:
            words += f"; alerts {side} {limit_in_words(series, value)}"
    if outside:
        words += f"; outside the limits on {len(outside)} of {len(known)} days, last on {outside[-1]}"
    return f"{words}{deployments_in_words([(f'on {day.day} {day:%B}', label) for day, label in deployed])}."


def _date(each: Day) -> str:
    return f"{each.day.day} {each.day:%B}"
