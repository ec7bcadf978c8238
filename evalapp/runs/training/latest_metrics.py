"""The latest metrics of a training, for its page."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.template.defaultfilters import filesizeformat

from evalapp.jobs.models import Job
from evalapp.runs.models import TrainingPoint


class LatestMetric(NamedTuple):
    label: str
    value: str
    note: str = ""


def latest_metrics(points: Sequence[TrainingPoint], job: Job) -> list[LatestMetric]:
    """The latest value of each reported metric; metrics that were not reported are left out."""
    latest: dict[str, Any] = {}
    for point in points:
        latest |= point.values
    if "loss" not in latest:
        return []
    last = max(point.step for point in points if "loss" in point.values)
    total = job.progress_total if job.progress_total and job.progress_total >= last else None
    found = [
        LatestMetric("Loss", f"{latest['loss']:.3f}", f"step {last:,}" + (f" of {total:,}" if total else ""))
    ]
    if "validation_loss" in latest:
        best = f"best {latest['best_validation_loss']:.3f} at step {latest['best_step']:,}"
        found.append(LatestMetric("Validation loss", f"{latest['validation_loss']:.3f}", best))
    found += _step_metrics(latest)
    if "peak_memory_bytes" in latest:
        limit = latest.get("memory_limit_bytes")
        of = f"at most so far, of {filesizeformat(limit)}" if limit else "at most so far"
        found.append(LatestMetric("Memory", filesizeformat(latest["peak_memory_bytes"]), of))
    return found


def _step_metrics(latest: Mapping[str, Any]) -> list[LatestMetric]:
    found = []
    if "epoch" in latest:
        found.append(LatestMetric("Passes", f"{latest['epoch']:.2f}", "through the rows"))
    if "learning_rate" in latest:
        found.append(LatestMetric("Learning rate", f"{latest['learning_rate']:.2g}"))
    if "gradient_norm" in latest:
        found.append(LatestMetric("Gradient norm", f"{latest['gradient_norm']:.2f}"))
    if "tokens_per_second" in latest:
        seen = f"{latest['tokens']:,} so far" if "tokens" in latest else ""
        found.append(LatestMetric("Tokens/s", f"{latest['tokens_per_second']:,.0f}", seen))
    return found
