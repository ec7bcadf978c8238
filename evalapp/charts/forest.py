"""Forest plots: estimates with their intervals on one axis."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from evalapp.charts.chart import Chart, chart_from, joined_clauses
from evalapp.charts.lines import grouped_labels
from evalapp.core.number_format import as_text, digits_for
from evalapp.measure import Measure

# One decimal even for wide intervals: "4 (3 to 5)" would hide half a point of a five-point scale.
LEAST_DIGITS = 1


class ForestLine(NamedTuple):
    """One estimate.

    ``candidate``: the candidate whose colour and shape it has. It is hollow unless ``is_marked``.
    ``untested``: why its difference from the reference was not tested.
    """

    group: str
    label: str
    candidate: str
    measure: Measure
    is_marked: bool = True
    untested: str = ""


class Axis(NamedTuple):
    """The horizontal axis.

    ``candidates``: all candidates, in the order used everywhere. ``domain``: its ends from left to right, the
    larger first on a descending axis. ``reference``: position of the dashed line. ``is_share``: values are
    differences of shares, shown in percentage points.
    """

    title: str
    candidates: list[str]
    domain: tuple[float, float]
    reference: float | None = None
    is_share: bool = False


def forest(
    lines: Sequence[ForestLine], axis: Axis, *, says: str, longest: int = 0, names_one: bool = False
) -> Chart:
    """One line per estimate; an undefined one has no mark, but its reason is in the table. ``longest`` as in
    `Labels.axis`, for one of several charts; with it, or with ``names_one``, a single group has a heading.
    """
    import altair as alt

    names = grouped_labels([(line.group, line.label) for line in lines], names_one=names_one or bool(longest))
    y = names.axis(alt, longest=longest)
    marks = [
        {"line": key, "of": name, **_mark(line, is_share=axis.is_share)}
        for key, name, line in zip(names.keys, names.names, lines, strict=True)
        if line.measure.value is not None
    ]
    first, last = axis.domain
    scale = alt.Scale(domain=sorted(axis.domain), reverse=first > last, nice=False)
    base = alt.Chart(alt.InlineData(values=marks))
    # The title ends at the right: one longer than a phone's axis extends below the names, and is not cut off.
    right: Literal["start", "end"] = "start" if first > last else "end"
    form = ".0%" if axis.is_share else alt.Undefined
    # The numbers nearest to the ends stay inside the drawing.
    steps = alt.Axis(tickCount=8, titleAnchor=right, titleAlign="right", format=form, labelFlush=20)
    x = alt.X("value:Q", title=axis.title, scale=scale, axis=steps)
    tooltip = [
        alt.Tooltip("of:N", title="Of"),
        alt.Tooltip("words:N", title="Estimate"),
        alt.Tooltip("n:Q", title="n"),
    ]
    colour = alt.Color("candidate:N", title=None, scale=alt.Scale(domain=axis.candidates), legend=None)
    domain = alt.Scale(domain=axis.candidates)
    filled = alt.Fill("candidate:N", scale=domain, legend=None)
    points = base.mark_point(filled=False, size=70, strokeWidth=1.5, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=alt.Shape("candidate:N", scale=domain, legend=None),
        fill=alt.condition("datum.is_marked", filled, alt.value("var(--surface)")),
        tooltip=tooltip,
    )
    # The points have all the text for a screen reader; a layer without intervals would be an image without a
    # name.
    reach = base.mark_rule(strokeWidth=2, aria=False).encode(
        x=alt.X("low:Q", title=axis.title, scale=scale, axis=steps),
        x2="high:Q",
        y=y,
        color=colour,
        tooltip=tooltip,
    )
    layers: list[Any] = [reach, points]
    if axis.reference is not None:
        line = alt.Chart(alt.InlineData(values=[{"at": axis.reference}]))
        layers.insert(0, line.mark_rule(strokeDash=[4, 3], aria=False).encode(x="at:Q"))
    drawing = alt.layer(*layers).properties(width="container", height=names.height)
    return chart_from(
        drawing,
        says=says,
        columns=["Criterion", "Candidate", axis.title, "n"],
        rows=[_row(line, is_share=axis.is_share) for line in lines],
    )


def _row(line: ForestLine, *, is_share: bool) -> list[Any]:
    return [line.group, line.label, in_words(line.measure, is_share=is_share), line.measure.n]


def _mark(line: ForestLine, *, is_share: bool) -> dict[str, Any]:
    measure = line.measure
    return {
        "candidate": line.candidate,
        "value": measure.value,
        "low": measure.low,
        "high": measure.high,
        "words": in_words(measure, is_share=is_share),
        "n": measure.n,
        "is_marked": line.is_marked,
    }


def in_words(measure: Measure, *, is_share: bool = False) -> str:
    """The number with its interval, such as "4.2 (3.9 to 4.5)", a difference of shares as "42 percentage
    points (39 to 45)"; or why there is none.
    """
    if measure.value is None:
        return measure.reason[:1].upper() + measure.reason[1:]
    factor, digits, unit = (100, 0, " percentage points") if is_share else (1, _digits(measure), "")
    value, *ends = (
        "" if each is None else as_text(factor * each, digits=digits)
        for each in (measure.value, measure.low, measure.high)
    )
    return f"{value}{unit}" if not all(ends) else f"{value}{unit} ({ends[0]} to {ends[1]})"


def _digits(measure: Measure) -> int:
    """Enough decimals to see both ends of the interval; two without an interval."""
    return max(LEAST_DIGITS, digits_for(measure.half_width))


def differences_summary(lines: Sequence[ForestLine], reference: str, *, is_share: bool = False) -> str:
    """Which differences are marked, how many are not significant, and which were not tested and why."""
    marked = [line for line in lines if line.is_marked and line.measure.value is not None]
    clauses = [
        f"on {line.group} {line.label} is {'higher' if (line.measure.value or 0) > 0 else 'lower'} than"
        f" {reference} by {in_words(_positive(line.measure), is_share=is_share)}"
        for line in marked
    ]
    defined = [line for line in lines if line.measure.value is not None]
    untested = Counter(line.untested for line in defined if line.untested and not line.is_marked)
    rest = len(defined) - len(marked) - untested.total()
    if rest and marked:
        clauses.insert(
            min(len(clauses), 3),
            f"{rest} of {rest + len(marked)} {'is' if rest == 1 else 'are'} not significant",
        )
    elif rest:
        clauses.append(f"no {'tested ' if untested else ''}difference from {reference} is significant")
    # Always after the list, even if the list is cut short: untested must not read as "no difference".
    apart = "".join(
        f" {count} of {len(defined)} {'is' if count == 1 else 'are'} not tested: {reason}."
        for reason, count in untested.items()
    )
    # The first word is part of our own text, never a name, so it may be capitalised.
    summary = joined_clauses(clauses) or ("" if apart else "no difference is defined.")
    return f"{summary[:1].upper()}{summary[1:]}{apart}".strip()


def means_summary(lines: Sequence[ForestLine]) -> str:
    """The highest and the lowest candidate by group; the range of means if their intervals overlap."""
    clauses = []
    for group in dict.fromkeys(line.group for line in lines):
        known = [line for line in lines if line.group == group and line.measure.value is not None]
        if not known:
            clauses.append(f"{group}: undefined")
            continue
        ranked = sorted(known, key=lambda line: line.measure.value or 0.0)
        if len(ranked) > 1 and ranked[0].measure.value == ranked[-1].measure.value:
            clauses.append(f"{group}: all have the same mean, {in_words(ranked[0].measure)}")
            continue
        lowest, highest = ranked[0], ranked[-1]
        if len(ranked) == 1:
            clauses.append(f"{group}: {highest.label} has a mean of {in_words(highest.measure)}")
        elif is_apart(lowest.measure, highest.measure):
            clauses.append(
                f"{group}: {highest.label} has the highest mean, {in_words(highest.measure)}, {lowest.label}"
                f" the lowest, {in_words(lowest.measure)}"
            )
        else:
            clauses.append(
                f"{group}: the means lie between {in_words(lowest.measure)} of {lowest.label} and "
                f"{in_words(highest.measure)} of {highest.label}{overlap_of(lowest.measure, highest.measure)}"
            )
    return joined_clauses(clauses)


def is_apart(lower: Measure, higher: Measure) -> bool:
    """Whether both have an interval and the two do not overlap. If they do, only a test of the difference can
    tell.
    """
    return lower.high is not None and higher.low is not None and lower.high < higher.low


def overlap_of(lower: Measure, higher: Measure) -> str:
    """End of a sentence about two measures that are not apart."""
    has_both = lower.high is not None and higher.low is not None
    return ", whose intervals overlap; their difference has its own interval" if has_both else ""


def _positive(measure: Measure) -> Measure:
    if measure.value is None or measure.value >= 0:
        return measure
    low = None if measure.high is None else -measure.high
    high = None if measure.low is None else -measure.low
    return Measure(value=-measure.value, n=measure.n, low=low, high=high, signature=measure.signature)
