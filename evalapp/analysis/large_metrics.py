"""What the metrics of a large campaign are worth: what a job stores, part by part."""

from collections.abc import Callable, Iterator
from typing import Any

from evalapp.analysis.figures import as_json
from evalapp.analysis.metric_trust import computed_metrics, directed, metric_trust
from evalapp.analysis.narrowing import NarrowedScores
from evalapp.analysis.prediction_powered import narrowed_means

Step = Callable[[int, int, str], None]


def metrics_parts(narrowed: NarrowedScores, *, step: Step) -> Iterator[tuple[str, Any]]:
    """Every part to be stored, as JSON: the one named "" is for all, another has the means that its metric narrows.

    ``step`` hears done, total and stage.
    """
    scores = narrowed.scores
    metrics = computed_metrics(scores)
    scales, compared = directed(scores)
    done, most = 0, len(scales) * (1 + len(compared)) + len(metrics)

    def begin(stage: str) -> None:
        nonlocal done
        step(done, most, stage)
        done += 1

    trust = metric_trust(scores, begin)
    yield "", {"kept": as_json(narrowed.kept), "metrics": as_json(metrics), "trust": as_json(trust)}
    for metric in metrics:
        begin(f"Means with {metric.label}")
        means = narrowed_means(scores, metric, is_view=narrowed.kept is not None)
        yield metric.name, {"narrowed": as_json(means)}
