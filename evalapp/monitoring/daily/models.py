"""Daily aggregates of all events of a stream: pages read these, never the events."""

from django.db import models

from evalapp.core.models import BaseModel
from evalapp.monitoring.models import Stream

ALL = ""
"""The stratum of the rows that count every event."""
LONGEST_METRIC = 80
LONGEST_STRATUM = 100
LONGEST_LABEL = 100


class DailyMetric(models.Model):
    """A metric over one day's events (UTC) for which it is defined: their number, the sum of the values and
    of their squares, and ``buckets`` for quantiles (see `evalapp.monitoring.daily.sums`).

    ``stratum``: the value of the field that the stream stratifies by; empty: all events.
    """

    id = models.BigAutoField(primary_key=True)
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="daily_metrics")
    day = models.DateField()
    stratum = models.CharField(max_length=LONGEST_STRATUM, blank=True)
    metric = models.CharField(max_length=LONGEST_METRIC)
    n = models.BigIntegerField()
    total = models.FloatField()
    squares = models.FloatField()
    buckets = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "metric", "stratum", "day"], name="daily_metric_once"),
            models.CheckConstraint(condition=models.Q(n__gte=0), name="daily_metric_counts"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} of {self.day}"

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None


class DailyAlert(BaseModel):
    """A daily metric past its threshold.

    It lasts from ``day`` to ``last_day``, whose mean is ``value`` and which ``message`` describes, until
    ``ended_on``, the first day back within the threshold. ``label``: the metric's displayed name; ``notice``:
    the e-mail about it. A metric has at most one alert that has not ended.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="daily_alerts")
    metric = models.CharField(max_length=LONGEST_METRIC)
    label = models.CharField(max_length=LONGEST_LABEL)
    day = models.DateField()
    last_day = models.DateField()
    value = models.FloatField()
    limit = models.FloatField()
    message = models.CharField(max_length=400)
    ended_on = models.DateField(null=True, blank=True)
    notice = models.ForeignKey(
        "Notice", null=True, blank=True, on_delete=models.SET_NULL, related_name="daily_alerts"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "metric"],
                condition=models.Q(ended_on__isnull=True),
                name="daily_alert_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(last_day__gte=models.F("day")), name="daily_alert_order"
            ),
        ]

    def __str__(self) -> str:
        return self.message
