"""Thresholds of daily metrics, set by people of the project; a value past one raises an alert."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError
from evalapp.monitoring.daily.counting import ASSESSED, COMPUTED
from evalapp.monitoring.daily.models import LONGEST_METRIC
from evalapp.monitoring.daily.sending import SENT
from evalapp.monitoring.locks import lock_unended_stream
from evalapp.monitoring.models import Stream

MOST_THRESHOLDS = 50
# What users said, the project's rule checks, and what the application computed.
_METRIC_PREFIXES = (ASSESSED, "rule:", SENT)


class Threshold(NamedTuple):
    """The lowest and the highest acceptable daily mean (for yes or no a share, 0 to 1); None: no limit."""

    least: float | None = None
    highest: float | None = None

    def passed_by(self, value: float) -> float | None:
        """Which of the two limits the value is past."""
        if self.least is not None and value < self.least:
            return self.least
        return self.highest if self.highest is not None and value > self.highest else None


NO_THRESHOLD = Threshold()


def thresholds_of(stream: Stream) -> dict[str, Threshold]:
    """The stream's thresholds by metric name."""
    return {metric: Threshold(**values) for metric, values in stream.daily_thresholds.items()}


def checked_daily_thresholds(given: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Thresholds as a stream stores them: metric → {"least", "highest"}, without those that are None.

    Raises InvalidError, of the field ``daily_thresholds``, for a metric that has no mean, and for limits that
    no value can meet.
    """
    found: dict[str, dict[str, float]] = {}
    for metric, values in given.items():
        limits = {name: float(values[name]) for name in Threshold._fields if values.get(name) is not None}
        if not all(map(math.isfinite, limits.values())):
            raise _invalid(f"The thresholds of “{metric[:40]}” are not numbers.")
        if len(limits) == len(Threshold._fields) and limits["least"] > limits["highest"]:
            raise _invalid(f"The lowest value of “{metric[:40]}” must not exceed the highest.")
        if not (metric in COMPUTED or metric.startswith(_METRIC_PREFIXES)) or len(metric) > LONGEST_METRIC:
            raise _invalid(
                f"“{metric[:40]}” is not a daily metric with a mean. Use {', '.join(COMPUTED)}, or a name"
                f" that begins with {', '.join(_METRIC_PREFIXES)}, as in “assessed:thumb”."
            )
        if limits:
            found[metric] = limits
    if len(found) > MOST_THRESHOLDS:
        raise _invalid(f"A stream has thresholds of at most {MOST_THRESHOLDS} daily metrics.")
    return found


@transaction.atomic
def set_daily_threshold(*, stream: Stream, metric: str, threshold: Threshold, by: User | None) -> None:
    """Alert when a day's mean of the metric is past the threshold; with both limits None, never.

    Raises as `checked_daily_thresholds`, and ConflictError once the stream has ended.
    """
    locked = lock_unended_stream(stream)
    locked.daily_thresholds = checked_daily_thresholds(
        {**locked.daily_thresholds, metric: threshold._asdict()}
    )
    locked.save(update_fields=["daily_thresholds"])
    data = {"metric": metric, **locked.daily_thresholds.get(metric, {})}
    record("stream.daily_threshold_set", by=by, obj=stream, project=stream.project, data=data)


def _invalid(message: str) -> InvalidError:
    return InvalidError(message, field="daily_thresholds")
