"""The charts of the analysis pages and of the report, built with Altair from plain tables."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from django.urls import reverse

from evalapp.analysis.comparison.candidates import CandidateRow, Comparison
from evalapp.analysis.comparison.differences import SEED, ComparedPair
from evalapp.analysis.pairwise.pairs import PairResults
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate
from evalapp.charts.chart import Chart, Panel, chart_from, distinct_names
from evalapp.charts.diverging import RatingLine, diverging_bars
from evalapp.charts.forest import (
    Axis,
    ForestLine,
    differences_summary,
    forest,
    in_words,
    is_apart,
    means_summary,
    overlap_of,
)
from evalapp.charts.heat_map import PairAgreement, agreement_heat_map
from evalapp.charts.lines import CHARACTER, split_lines
from evalapp.charts.theme import CANDIDATES
from evalapp.metrics.metric import MetricDescription
from evalapp.rubrics.models import Criterion
from evalapp.stats.agreement import quadratic_kappa

# More are slow to compute while a page waits, and nobody reads them.
MOST_REVIEWERS = 10
REPLICATES = 200
SHARES = "shares"
# As a share of the scale; smaller differences then look small.
LEAST_PART = 0.1


def ratings_chart(comparison: Comparison) -> Chart | None:
    """How often each level was given: a bar for each candidate and scale criterion; None without ratings."""
    return next(iter(ratings_charts(comparison)), None)


def ratings_charts(comparison: Comparison, *, most: int | None = None) -> list[Chart]:
    """As `ratings_chart`, in charts of ``most`` lines; empty without ratings."""
    labels = labels_of([row.candidate for row in comparison.rows])
    lines = [
        RatingLine(
            _directed(criterion),
            labels[row.candidate.pk],
            list(cell.binned.items()),
            criterion.lower_is_better,
        )
        for position, criterion in enumerate(comparison.criteria)
        for row in comparison.rows
        if (cell := row.human[position]).criterion.rules.has_mean and cell.criterion == criterion
    ]
    if not any(line.total for line in lines):
        return []
    return [diverging_bars(part, names_one=len(part) < len(lines)) for part in split_lines(lines, most)]


def _directed(criterion: Criterion) -> str:
    """A scale's name, with the best level if that is not the highest."""
    return (
        f"{criterion.name} ({criterion.level_words(criterion.minimum)} is best)"
        if criterion.lower_is_better
        else criterion.name
    )


def means_charts(comparison: Comparison, *, most: int | None = None) -> list[Panel]:
    """Candidates' means on scale criteria with intervals; a panel for each range and ``most`` lines. Empty if
    no mean is defined.
    """
    labels = labels_of([row.candidate for row in comparison.rows])
    panels = []
    present = [each for each in comparison.criteria if each.rules.has_mean]
    for of in dict.fromkeys(map(_axis_of, present)):
        scales = [each for each in present if _axis_of(each) == of]
        lines = [
            ForestLine(criterion.name, labels[row.candidate.pk], labels[row.candidate.pk], cell.mean)
            for criterion in scales
            for row in comparison.rows
            if (cell := row.cell(criterion.key)) is not None
        ]
        if any(line.measure.defined for line in lines):
            domain = scales[0].rules.drawn_range
            axis = Axis(f"Mean with its 95% interval, on {of}", list(labels.values()), domain)
            panels += [
                Panel(of, forest(part, axis, says=means_summary(part), names_one=len(part) < len(lines)))
                for part in split_lines(lines, most)
            ]
    return panels


def _axis_of(criterion: Criterion) -> str:
    """What can share an axis: scales of one range and direction, or shares of one direction."""
    if criterion.rules.has_mean:
        return criterion.axis_label
    return f"{SHARES}, lower is better" if criterion.is_less_better else SHARES


def differences_charts(
    pairs: Sequence[ComparedPair],
    reference: CandidateRow,
    rows: Sequence[CandidateRow],
    *,
    most: int | None = None,
) -> list[Panel]:
    """Each candidate minus the reference, hollow if not significant; ``rows`` are all candidates.

    A panel for each range, with an axis in its own points. All panels show the same part of their ranges, so
    that equal lengths are equal shares of the scale: half a point of 1–5 is drawn as long as 1.25 points of
    0–10. If lower is better the axis is reversed, so that right is better on every scale. A range of more
    than ``most`` lines has several panels.
    """
    labels = labels_of([row.candidate for row in rows])
    name = labels[reference.candidate.pk]
    reach = max((_reach(pair) for pair in pairs), default=0.0)
    part = min(max(LEAST_PART, 1.05 * reach), 1.0)
    longest = max(
        (len(name) for pair in pairs for name in (pair.criterion.name, *labels.values())), default=0
    )
    panels: list[Panel] = []
    ranges = list(dict.fromkeys(_axis_of(pair.criterion) for pair in pairs))
    for of in ranges:
        shown = [pair for pair in pairs if _axis_of(pair.criterion) == of]
        lines = [
            ForestLine(
                pair.criterion.name,
                labels[pair.challenger.candidate.pk],
                labels[pair.challenger.candidate.pk],
                pair.adjusted,
                is_marked=pair.is_significant,
                untested=pair.untested,
            )
            for pair in shown
        ]
        if not any(line.measure.defined for line in lines):
            continue
        is_share = shown[0].is_share
        far = part * shown[0].drawn_span
        title = "Difference of shares" if is_share else f"Difference in points of {of}"
        axis = Axis(title, list(labels.values()), (-far, far), reference=0.0, is_share=is_share)
        parts = split_lines(lines, most)
        is_one = len(ranges) == len(parts) == 1
        panels += [
            Panel(
                of,
                forest(
                    part,
                    axis,
                    says=differences_summary(part, name, is_share=is_share),
                    longest=0 if is_one else longest,
                ),
            )
            for part in parts
        ]
    return panels


def hollow_words(pairs: Sequence[ComparedPair]) -> str:
    """What a hollow mark among these differences means."""
    untested = any(pair.untested for pair in pairs)
    return f"a hollow mark is not significant{' or is not tested' if untested else ''}"


def strengths_chart(judged: PairResults) -> Chart | None:
    """The strength of each candidate, strongest first; None if no strength is defined."""
    labels = labels_of(judged.preferences.candidates)
    lines = [
        ForestLine("Strength", labels[row.candidate.pk], labels[row.candidate.pk], row.strength)
        for row in judged.strengths
        if row.strength.defined
    ]
    if not lines:
        return None
    axis = Axis("Strength", list(labels.values()), (judged.low_end, judged.span), reference=0.0)
    first, last = lines[0], lines[-1]
    if first.measure.value == last.measure.value:
        summary = f"No candidate is stronger than another, {in_words(first.measure)}"
    elif not is_apart(last.measure, first.measure):
        summary = (
            f"The strengths lie between {in_words(last.measure)} of {last.label} and"
            f" {in_words(first.measure)} of {first.label}{overlap_of(last.measure, first.measure)}"
        )
    else:
        summary = (
            f"Strongest is {first.label}, {in_words(first.measure)}, weakest {last.label},"
            f" {in_words(last.measure)}"
        )
    return forest(lines, axis, says=f"{summary}; 0 is an average candidate.")


def _reach(pair: ComparedPair) -> float:
    """The largest distance of a difference or its interval from zero, as a share of the scale."""
    difference = pair.adjusted
    ends = (difference.value, difference.low, difference.high)
    return max((abs(end) for end in ends if end is not None), default=0.0) / pair.span


def agreement_chart(scores: CampaignScores, criterion: Criterion) -> Chart | None:
    """Weighted kappa of every two reviewers on a scale; None if it is defined for no pair, or with more than
    ``MOST_REVIEWERS``.
    """
    ratings = scores.ratings(criterion, as_designed=True)
    present = [pk for pk in scores.reviewer_ids if pk in set(ratings.reviewers)]
    if not 2 <= len(present) <= MOST_REVIEWERS:
        return None
    names: Mapping[Hashable, str] = {pk: scores.names.of(pk) for pk in present}
    pairs = [
        PairAgreement(
            names[one],
            names[other],
            quadratic_kappa(ratings, one, other, seed=SEED, replicates=REPLICATES),
        )
        for one, other in combinations(present, 2)
    ]
    if not any(pair.measure.defined for pair in pairs):
        return None
    return agreement_heat_map(list(names.values()), pairs, of=f"Weighted kappa on {criterion.name}")


def human_against_metric(scores: CampaignScores, criterion: Criterion, metric: MetricDescription) -> Chart:
    """A point for each output: metric across, mean of people upwards; a point opens its case. There are no
    points where all outputs have the same value of the metric.
    """
    means = scores.output_means(criterion)
    labels = labels_of(scores.candidates)
    points = [
        {
            "metric": _plotted(output.metrics[metric.name], metric),
            "people": round(means[output.item_output_id], 3),
            "candidate": labels[output.candidate_id],
            "href": (
                reverse(
                    "case_detail", args=[scores.campaign.project.slug, scores.campaign.pk, output.item_id]
                )
                + f"#candidate-{output.candidate_id}"
            ),
        }
        for output in scores.outputs
        if metric.name in output.metrics and output.item_output_id in means
    ]
    names = list(labels.values())
    says = _quarters(points, criterion, metric)
    if len({point["metric"] for point in points}) == 1:
        points = []
    if points and not _have_own_colours(names):
        says += f" All {len(names)} candidates have the same colour."
    return chart_from(
        _scatter(points, criterion, metric, names),
        says=says,
        columns=["Candidate", metric.label, criterion.name],
        rows=[[point["candidate"], point["metric"], point["people"]] for point in points],
    )


def _plotted(value: float, metric: MetricDescription) -> float:
    return round(value) if metric.is_count else round(value, 4)


def labels_of(candidates: Sequence[CampaignCandidate]) -> dict[int, str]:
    """Labels by candidate; the number is added where two models have the same label."""
    names = distinct_names([str(each.model_version) for each in candidates])
    return {candidate.pk: name for candidate, name in zip(candidates, names, strict=True)}


def _quarters(points: Sequence[Mapping[str, Any]], criterion: Criterion, metric: MetricDescription) -> str:
    """Reviewers' scores in the metric's highest and lowest quarters."""
    quarter = len(points) // 4
    if not points:
        return f"No output has both {metric.label} and {criterion.name}, so there is nothing to draw."
    if not quarter:
        count = f"{len(points)} output{'' if len(points) == 1 else 's'}"
        return f"{count} with both {metric.label} and {criterion.name}: too few to tell how they relate."
    ranked = sorted(points, key=lambda point: float(point["metric"]))
    if ranked[0]["metric"] == ranked[-1]["metric"]:
        return f"All {len(points)} outputs have the same {metric.label}, so it separates none of them."
    low, high = (fmean(point["people"] for point in part) for part in (ranked[:quarter], ranked[-quarter:]))
    return (
        f"Of {len(points)} outputs, people give the quarter with the highest {metric.label} {high:.2f} on "
        f"{criterion.name} on average, and the quarter with the lowest {low:.2f}."
    )


def _have_own_colours(labels: Sequence[str]) -> bool:
    """Whether there is a colour for each candidate; where colours would repeat, all points have the same."""
    return len(labels) <= len(CANDIDATES)


def _scatter(
    points: list[dict[str, Any]], criterion: Criterion, metric: MetricDescription, labels: list[str]
) -> Any:
    # Imported late: Altair is slow to import, and most pages have no chart.
    import altair as alt

    # Legend columns that fit the width; a phone would cut off the last names.
    width = CHARACTER * max(map(len, labels), default=0) + 30
    room = "((containerSize()[0] || 780) - 60)"
    legend = alt.Legend(
        columns=alt.ExprRef(f"max(1, floor({room} / {width}))"), labelLimit=alt.ExprRef(f"{room} - 30")
    )
    names = alt.Scale(domain=labels)
    candidate: dict[str, Any] = (
        # Without ranges: the theme assigns colours and shapes in the order of the domain, which is the
        # candidates' order everywhere.
        {
            "color": alt.Color("candidate:N", title=None, scale=names, legend=legend),
            "shape": alt.Shape("candidate:N", title=None, scale=names, legend=legend),
        }
        if _have_own_colours(labels)
        else {"color": alt.value(CANDIDATES[0])}
    )
    levels = alt.Scale(domain=list(criterion.rules.range), reverse=criterion.lower_is_better)
    better = ", lower is better" if criterion.lower_is_better else ""
    return (
        alt.Chart(alt.InlineData(values=points))
        .mark_point(filled=True, size=70, opacity=0.75, cursor="pointer")
        .encode(
            x=alt.X(
                "metric:Q",
                title=metric.label,
                scale=alt.Scale(zero=False, nice=True),
                axis=alt.Axis(tickCount=8),
            ),
            y=alt.Y(
                "people:Q",
                title=f"{criterion.name}, mean of reviewers{better}",
                scale=levels,
            ),
            href="href:N",
            tooltip=[
                alt.Tooltip("candidate:N", title="Candidate"),
                alt.Tooltip("metric:Q", title=metric.label, format=".0f" if metric.is_count else ".3f"),
                alt.Tooltip("people:Q", title=criterion.name, format=".2f"),
            ],
            **candidate,
        )
        .properties(width="container", height=300)
    )
