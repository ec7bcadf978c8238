"""Daily metrics: read by program, and sent by an application that counts its own outputs."""

import datetime as dt
from typing import Any, cast

from django.utils import timezone
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, List, Number, Query, ReadOnlySerializer, Text, Whole
from evalapp.api.operations import operation, route
from evalapp.core.errors import InvalidError
from evalapp.monitoring.api.streams import StreamView
from evalapp.monitoring.daily.models import ALL, LONGEST_METRIC, LONGEST_STRATUM, DailyAlert
from evalapp.monitoring.daily.sending import SentDay, store_daily_metrics
from evalapp.monitoring.daily.series import DAYS, Day, series_of

MOST_DAYS = 366
MOST_IN_A_REQUEST = 5_000
_LARGEST = 1e15


class DailyMetricsQuery(Query):
    metric = serializers.CharField(
        required=False,
        default="",
        max_length=LONGEST_METRIC,
        help_text="Name of one metric; default: all metrics.",
    )
    # A word of the language, so it cannot be written as the other fields are.
    vars()["from"] = serializers.DateField(
        required=False, default=None, help_text=f"First day; default: {DAYS} days before the last."
    )
    to = serializers.DateField(required=False, default=None, help_text="Last day; default: today.")
    stratum = serializers.CharField(
        required=False, default=ALL, allow_blank=True, max_length=LONGEST_STRATUM, help_text="Empty: all."
    )


class DaySerializer(serializers.Serializer[Any]):
    """``low`` and ``high`` are the control limits; null on a day that is not tested. Quantiles are accurate
    to 2%.
    """

    day = serializers.DateField()
    n = serializers.IntegerField(source="sums.n")
    mean = serializers.FloatField(source="sums.mean", allow_null=True)
    deviation = serializers.FloatField(source="sums.deviation", allow_null=True)
    median = serializers.SerializerMethodField()
    percentile_95 = serializers.SerializerMethodField()
    low = serializers.FloatField(source="limits.low", allow_null=True, default=None)
    high = serializers.FloatField(source="limits.high", allow_null=True, default=None)
    is_outside = serializers.BooleanField(help_text="Whether the mean is outside the control limits.")

    def get_median(self, day: Any) -> float | None:
        return cast(Day, day).sums.quantile(0.5)

    def get_percentile_95(self, day: Any) -> float | None:
        return cast(Day, day).sums.quantile(0.95)


class SeriesSerializer(serializers.Serializer[Any]):
    metric = serializers.CharField()
    label = serializers.CharField()
    days = DaySerializer(many=True)


class AllSeriesSerializer(serializers.Serializer[Any]):
    stratum = serializers.CharField(allow_blank=True)
    metrics = SeriesSerializer(many=True)


class DailyMetricBody(Body):
    day = serializers.DateField(help_text="A day in UTC.")
    metric = Text(max_length=LONGEST_METRIC - 20, help_text="Your own name for the metric.")
    stratum = Text(
        max_length=LONGEST_STRATUM, allow_blank=True, default=ALL, help_text="Stratum; empty: all outputs."
    )
    n = Whole(min_value=1, max_value=10**12, help_text="Number of outputs behind the mean.")
    mean = Number(min_value=-_LARGEST, max_value=_LARGEST)
    deviation = Number(
        default=0.0, min_value=0, max_value=_LARGEST, help_text="Standard deviation of single values."
    )


class DailyMetricsBody(Body):
    metrics = List(child=DailyMetricBody(), min_length=1, max_length=MOST_IN_A_REQUEST)


class TakenDaysSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField(help_text="Number of values that are new or replaced earlier ones.")


class DailyAlertSerializer(ReadOnlySerializer):
    """A daily metric beyond its threshold from ``day`` to ``last_day``; ``value`` and ``message`` are those
    of ``last_day``. ``ended_on`` is the first day back within the threshold.
    """

    class Meta:
        model = DailyAlert
        fields = (
            "id", "metric", "label", "day", "last_day", "value", "limit", "message", "ended_on", "created_at",
        )  # fmt: skip


@route("streams/<int:stream_id>/daily-alerts/", "api_daily_alerts")
class StreamDailyAlerts(StreamView):
    @operation("List daily alerts", result=DailyAlertSerializer, paged=True)
    def get(self, stream_id: int) -> object:
        """Daily metrics that went past the stream's thresholds, newest first."""
        return self.page(self.stream(stream_id).daily_alerts.all())


@route("streams/<int:stream_id>/daily-metrics/", "api_daily_metrics")
class StreamDailyMetrics(StreamView):
    post_permission = Permission.EDIT_DATA

    @operation("Read daily metrics", query=DailyMetricsQuery, result=AllSeriesSerializer)
    def get(self, stream_id: int) -> object:
        """Metrics of all outputs by day (UTC), computed within a minute after events arrive."""
        stream = self.stream(stream_id)
        until: dt.date = self.query["to"] or timezone.now().date()
        since: dt.date = self.query["from"] or max(
            dt.date(1970, 1, 1), until - dt.timedelta(days=min(DAYS, until.toordinal() - 1))
        )
        if not 0 <= (until - since).days <= MOST_DAYS or since.year < 1970:
            raise InvalidError(
                f"Ask for at most {MOST_DAYS} days, from the earlier to the later.", field="from"
            )
        metric = self.query["metric"]
        found = series_of(
            stream,
            since=since,
            until=until,
            metrics=[metric] if metric else None,
            stratum=self.query["stratum"],
        )
        return {"stratum": self.query["stratum"], "metrics": found}

    @operation("Send daily metrics", body=DailyMetricsBody, result=TakenDaysSerializer, status=201)
    def post(self, stream_id: int) -> object:
        """For an application that counts its own outputs: each value of a day replaces the one sent before.
        In answers the names begin with “sent:”, to distinguish them from metrics computed here.
        """
        stream = self.stream(stream_id)
        given = [SentDay(**each) for each in self.body()["metrics"]]
        return {"stored": store_daily_metrics(stream=stream, given=given, by=self.person)}
