"""The charts of the analysis pages and of the report, built with Altair from plain tables."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from django.urls import reverse

from evalapp.analysis.comparison import CandidateRow, Comparison
from evalapp.analysis.differences import SEED, ComparedPair
from evalapp.analysis.scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate
from evalapp.charts.chart import Chart, finished, unlike
from evalapp.charts.diverging import RatingLine, diverging_bars
from evalapp.charts.forest import Axis, ForestLine, forest, says_of_differences, says_of_means
from evalapp.charts.heat_map import PairAgreement, agreement_heat_map
from evalapp.core.marks import marked
from evalapp.metrics.catalogue import MetricDescription
from evalapp.rubrics.models import Criterion, CriterionKind
from evalapp.stats.agreement import quadratic_kappa

# More are slow to work out while a page waits, and nobody reads them.
MOST_REVIEWERS = 10
REPLICATES = 200


def ratings_chart(comparison: Comparison) -> Chart | None:
    """How often each level was given, a bar a candidate and scale criterion; None where there is no rating."""
    labels = labels_of([row.candidate for row in comparison.rows])
    lines = [
        RatingLine(cell.criterion.name, labels[row.candidate.pk], list(cell.binned.items()))
        for position, criterion in enumerate(comparison.criteria)
        for row in comparison.rows
        if (cell := row.human[position]).is_scale and cell.criterion == criterion
    ]
    return diverging_bars(lines) if any(line.total for line in lines) else None


def means_chart(comparison: Comparison) -> Chart | None:
    """Candidates' means on scale criteria with their intervals; None where none is defined."""
    labels = labels_of([row.candidate for row in comparison.rows])
    scales = [criterion for criterion in comparison.criteria if criterion.kind == "scale"]
    lines = [
        ForestLine(criterion.name, labels[row.candidate.pk], labels[row.candidate.pk], cell.mean)
        for criterion in scales
        for row in comparison.rows
        if (cell := row.cell(criterion.key)) is not None
    ]
    if not any(line.measure.defined for line in lines):
        return None
    ranges = {(criterion.minimum, criterion.maximum) for criterion in scales}
    axis = Axis(
        "Mean with its 95% interval",
        list(labels.values()),
        domain=next(iter(ranges)) if len(ranges) == 1 else None,
    )
    return forest(lines, axis, says=says_of_means(lines))


def differences_chart(
    pairs: Sequence[ComparedPair], reference: CandidateRow, rows: Sequence[CandidateRow]
) -> Chart | None:
    """Each candidate less the reference, hollow where it cannot be told from none; ``rows`` are all candidates.

    Shares are left out: they do not lie on the axis of the scales.
    """
    labels = labels_of([row.candidate for row in rows])
    lines = [
        ForestLine(
            pair.criterion.name,
            labels[pair.challenger.candidate.pk],
            labels[pair.challenger.candidate.pk],
            pair.difference.difference,
            is_marked=pair.is_significant,
        )
        for pair in pairs
        if pair.criterion.kind == CriterionKind.SCALE
    ]
    if not any(line.measure.defined for line in lines):
        return None
    name = labels[reference.candidate.pk]
    axis = Axis(f"Difference from {name}", list(labels.values()), reference=0.0)
    return forest(lines, axis, says=says_of_differences(lines, name))


def agreement_chart(scores: CampaignScores, criterion: Criterion) -> Chart | None:
    """Weighted kappa of every two reviewers on a scale; None where it is defined for none, or there
    are more than ``MOST_REVIEWERS``.
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


NO_CHARTS: dict[str, Chart | None] = dict.fromkeys(("ratings_chart", "differences_chart", "agreement_chart"))
"""What `page_charts` names, of a page that has no time to draw."""


def page_charts(
    scores: CampaignScores,
    comparison: Comparison,
    *,
    pairs: Sequence[ComparedPair],
    reference: CandidateRow | None,
    criterion: Criterion | None,
) -> dict[str, Chart | None]:
    """The charts of the comparison's page beside the scatter, by their names in its template."""
    return {
        "ratings_chart": ratings_chart(comparison),
        "differences_chart": differences_chart(pairs, reference, comparison.rows) if reference else None,
        "agreement_chart": agreement_chart(scores, criterion) if criterion else None,
    }


def human_against_metric(scores: CampaignScores, criterion: Criterion, metric: MetricDescription) -> Chart:
    """A point per output: metric across, mean of people upwards; a point opens its case."""
    means = scores.output_means(criterion)
    labels = labels_of(scores.candidates)
    points = [
        {
            "metric": _figure(output.metrics[metric.name], metric),
            "people": round(means[output.item_output_id], 3),
            "candidate": labels[output.candidate_id],
            "href": reverse(
                "case_detail", args=[scores.campaign.project.slug, scores.campaign.pk, output.item_id]
            )
            + f"#candidate-{output.candidate_id}",
        }
        for output in scores.outputs
        if metric.name in output.metrics and output.item_output_id in means
    ]
    return finished(
        _scatter(points, criterion, metric, list(labels.values())),
        says=_quarters(points, criterion, metric),
        columns=["Candidate", metric.label, criterion.name],
        rows=[[point["candidate"], point["metric"], point["people"]] for point in points],
    )


def _figure(value: float, metric: MetricDescription) -> float:
    return round(value) if metric.is_count else round(value, 4)


def labels_of(candidates: Sequence[CampaignCandidate]) -> dict[int, str]:
    """Labels by candidate; two models may carry the same one, so then the number follows."""
    names = unlike([marked(str(each.model_version), each.model_version) for each in candidates])
    return {candidate.pk: name for candidate, name in zip(candidates, names, strict=True)}


def _quarters(points: Sequence[Mapping[str, Any]], criterion: Criterion, metric: MetricDescription) -> str:
    """What people say where the metric is high, and where it is low."""
    quarter = len(points) // 4
    if not quarter:
        count = f"{len(points)} output{'' if len(points) == 1 else 's'}"
        return f"{count} with both {metric.label} and {criterion.name}: too few to tell how they go together."
    ranked = sorted(points, key=lambda point: float(point["metric"]))
    low, high = (fmean(point["people"] for point in part) for part in (ranked[:quarter], ranked[-quarter:]))
    return (
        f"Of {len(points)} outputs, people give the quarter with the highest {metric.label} {high:.2f} on "
        f"{criterion.name} on average, and the quarter with the lowest {low:.2f}."
    )


def _scatter(
    points: list[dict[str, Any]], criterion: Criterion, metric: MetricDescription, labels: list[str]
) -> Any:
    # Imported here: pages without a chart do not pay for it.
    import altair as alt

    return (
        alt.Chart(alt.InlineData(values=points))
        .mark_point(filled=True, size=70, opacity=0.75, cursor="pointer")
        .encode(
            x=alt.X("metric:Q", title=metric.label, scale=alt.Scale(zero=False, nice=True)),
            y=alt.Y(
                "people:Q",
                title=f"{criterion.name}, mean of reviewers",
                scale=alt.Scale(domain=[criterion.minimum, criterion.maximum]),
            ),
            # Without ranges: the theme gives colours and shapes in the order of the domain, which is the
            # candidates' order everywhere.
            color=alt.Color("candidate:N", title=None, scale=alt.Scale(domain=labels)),
            shape=alt.Shape("candidate:N", title=None, scale=alt.Scale(domain=labels)),
            href="href:N",
            tooltip=[
                alt.Tooltip("candidate:N", title="Candidate"),
                alt.Tooltip("metric:Q", title=metric.label, format=".0f" if metric.is_count else ".3f"),
                alt.Tooltip("people:Q", title=criterion.name, format=".2f"),
            ],
        )
        .properties(width="container", height=300)
    )
