"""Vega-Lite specifications of the analysis pages, built with Altair from plain tables."""

from typing import Any, NamedTuple

from django.urls import reverse

from evalapp.analysis.scores import CampaignScores
from evalapp.core.marks import marked
from evalapp.metrics.catalogue import MetricDescription
from evalapp.rubrics.models import Criterion


class Chart(NamedTuple):
    """A specification, and the same figures as a table for readers without the drawing."""

    spec: dict[str, Any]
    columns: list[str]
    rows: list[list[Any]]


def human_against_metric(scores: CampaignScores, criterion: Criterion, metric: MetricDescription) -> Chart:
    """A point per output: metric across, mean of people upwards; a point opens its case."""
    means = scores.output_means(criterion)
    labels = _labels(scores)
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
    return Chart(
        _scatter(points, criterion, metric, list(labels.values())),
        ["Candidate", metric.label, criterion.name],
        [[point["candidate"], point["metric"], point["people"]] for point in points],
    )


def _figure(value: float, metric: MetricDescription) -> float:
    return round(value) if metric.is_count else round(value, 4)


def _labels(scores: CampaignScores) -> dict[int, str]:
    """Labels by candidate; two models may carry the same one, so then the number follows."""
    names = [marked(str(each.model_version), each.model_version) for each in scores.candidates]
    return {
        candidate.pk: name if names.count(name) == 1 else f"{name} ({candidate.position + 1})"
        for candidate, name in zip(scores.candidates, names, strict=True)
    }


def _scatter(
    points: list[dict[str, Any]], criterion: Criterion, metric: MetricDescription, labels: list[str]
) -> dict[str, Any]:
    # Imported here: pages without a chart do not pay for it.
    import altair as alt

    chart = (
        alt.Chart(alt.InlineData(values=points))
        .mark_point(filled=True, size=70, opacity=0.75, cursor="pointer")
        .encode(
            x=alt.X("metric:Q", title=metric.label, scale=alt.Scale(zero=False, nice=True)),
            y=alt.Y(
                "people:Q",
                title=f"{criterion.name}, mean of reviewers",
                scale=alt.Scale(domain=[criterion.minimum, criterion.maximum]),
            ),
            # Without ranges: the page's tokens give colours and shapes in the order of the domain, which
            # is the candidates' order everywhere.
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
    spec: dict[str, Any] = chart.to_dict()
    return spec
