"""Trust in the metrics of a large campaign: the parts that a job stores."""

from collections.abc import Callable, Iterator
from typing import Any

from evalapp.analysis.metrics.metric_trust import computed_metrics, directed_scales_and_metrics, metric_trust
from evalapp.analysis.metrics.prediction_powered import prediction_powered_means
from evalapp.analysis.scores.filtered_scores import FilteredScores
from evalapp.analysis.stored.serialisation import as_json

Step = Callable[[int, int, str], None]


def metrics_parts(filtered: FilteredScores, *, step: Step) -> Iterator[tuple[str, Any]]:
    """Every part to be stored, as JSON: the part "" is for all, the others have one metric's
    prediction-powered means.

    ``step`` is called with done, total and stage.
    """
    scores = filtered.scores
    metrics = computed_metrics(scores)
    scales, compared = directed_scales_and_metrics(scores)
    done, most = 0, len(scales) * (1 + len(compared)) + len(metrics)

    def begin(stage: str) -> None:
        nonlocal done
        step(done, most, stage)
        done += 1

    trust = metric_trust(scores, begin)
    yield "", {"coverage": as_json(filtered.coverage), "metrics": as_json(metrics), "trust": as_json(trust)}
    for metric in metrics:
        begin(f"Means with {metric.label}")
        means = prediction_powered_means(scores, metric, is_view=filtered.coverage is not None)
        yield metric.name, {"prediction_powered": as_json(means)}
