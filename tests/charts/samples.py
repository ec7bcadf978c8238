"""One chart of every kind, with names as people may write them."""

import datetime as dt

from evalapp.charts.chart import Chart
from evalapp.charts.curves import Curve, SpreadCurve, SpreadPoint, overlaid_curves, spread_curves
from evalapp.charts.diverging import RatingLine, diverging_bars
from evalapp.charts.forest import Axis, ForestLine, differences_summary, forest, means_summary
from evalapp.charts.heat_map import PairAgreement, agreement_heat_map
from evalapp.charts.histogram import Bin, CutoffLine, histogram
from evalapp.measure import Measure
from evalapp.monitoring.charts import weekly_chart
from evalapp.monitoring.models import WeeklyMetric, WeeklySample
from evalapp.monitoring.trends import trend_of

HOSTILE = '</script><svg onload="x()"> & var(--ink)'
NAMES = ["Base", HOSTILE, "v1"]
COUNTS = {"Base": (2, 6, 8, 3, 1), HOSTILE: (0, 0, 2, 5, 13), "v1": (0, 0, 0, 0, 0)}


def measured(value: float, low: float, high: float, n: int = 20) -> Measure:
    return Measure(value=value, low=low, high=high, n=n, signature="sample")


def none(reason: str) -> Measure:
    return Measure.undefined(reason, signature="sample")


def ratings() -> Chart:
    return diverging_bars(
        [
            RatingLine(group, name, [(str(level), n) for level, n in enumerate(COUNTS[name], start=1)])
            for group in ("Tone", "Accuracy")
            for name in NAMES
        ]
    )


def differences() -> Chart:
    lines = [
        ForestLine("Tone", HOSTILE, HOSTILE, measured(1.7, 1.2, 2.2), is_marked=True),
        ForestLine("Tone", "v1", "v1", measured(-0.5, -1.1, 0.1), is_marked=False),
        ForestLine("Accuracy", HOSTILE, HOSTILE, none("no scores"), is_marked=False),
        ForestLine("Accuracy", "v1", "v1", measured(-0.6, -1.0, -0.2), is_marked=True),
    ]
    axis = Axis("Difference from Base", NAMES, (-2.5, 2.5), reference=0.0)
    return forest(lines, axis, says=differences_summary(lines, "Base"))


def means() -> Chart:
    lines = [
        ForestLine("Tone", "Base", "Base", measured(2.9, 2.6, 3.2)),
        ForestLine("Tone", HOSTILE, HOSTILE, measured(4.6, 4.4, 4.8)),
    ]
    return forest(lines, Axis("Mean", NAMES, domain=(1, 5)), says=means_summary(lines))


def agreement() -> Chart:
    return agreement_heat_map(
        ["Reviewer 1", "Reviewer 2", "Reviewer 3"],
        [
            PairAgreement("Reviewer 1", "Reviewer 2", measured(0.71, 0.5, 0.9)),
            PairAgreement("Reviewer 1", "Reviewer 3", measured(-1.0, -1.0, -0.9)),
            PairAgreement("Reviewer 2", "Reviewer 3", none("no item has two scores")),
        ],
        of="Weighted kappa on Tone",
    )


def weekly() -> Chart:
    """Eight usual weeks, one of few reviews, and a fall that ends in an alarm."""
    values = [4.2, 4.3, 4.1, 4.2, 4.25, 4.15, 4.2, 4.3, 4.9, 3.4, 3.2, 3.1]
    ends_at = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    metrics = [
        WeeklyMetric(
            weekly_sample=WeeklySample(number=number, ends_at=ends_at + dt.timedelta(weeks=number)),
            criterion_key="tone",
            criterion_name=HOSTILE,
            value=value,
            low=value - 0.2,
            high=value + 0.2,
            error=0.1,
            reviews=12 if value == 4.9 else 40,
        )
        for number, value in enumerate(values, start=1)
    ]
    return weekly_chart(trend_of(metrics, threshold=3.6, baseline_weeks=8))


def lengths() -> Chart:
    bins = [Bin(0, 9, 3), Bin(10, 19, 12), Bin(20, 29, 0), Bin(30, 39, 1)]
    return histogram(
        bins,
        CutoffLine(20, "cut at 20"),
        size="Tokens",
        counted="Rows",
        says="1 row is longer than 20 tokens.",
    )


def losses() -> Chart:
    curves = [
        Curve("Base", [(step, 3 / step) for step in range(1, 1001)]),
        Curve(HOSTILE, [(1, 2.0), (2, 1.5)]),
    ]
    return overlaid_curves(
        curves, x="Optimiser step", y="Training loss", says="Base ends lowest, at 0.003.", marks=True
    )


def learning() -> Chart:
    curves = [
        SpreadCurve("Base", [SpreadPoint(25, 2.0, 1.9, 2.1, 2), SpreadPoint(100, 1.5, 1.5, 1.5, 1)]),
        SpreadCurve(HOSTILE, [SpreadPoint(26, 1.0, 0.9, 1.2, 3), SpreadPoint(50, 0.9, 0.8, 1.0, 3)]),
    ]
    return spread_curves(curves, x="Examples", y="Validation loss", says="With more examples the loss falls.")


ALL = {
    "losses": losses,
    "learning": learning,
    "ratings": ratings,
    "differences": differences,
    "means": means,
    "agreement": agreement,
    "lengths": lengths,
    "weekly": weekly,
}
