"""Streams of production events: their weeks, metrics, alerts and proposals."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import (
    Body,
    CreatedByField,
    Fields,
    Id,
    List,
    Number,
    Paging,
    ReadOnlySerializer,
    Text,
    Whole,
)
from evalapp.api.operations import ProjectView, chosen, chosen_all, operation, route
from evalapp.campaigns.design import MOST_OVERLAP
from evalapp.campaigns.queries import possible_reviewers, usable_rubrics
from evalapp.core.http import get_or_missing
from evalapp.monitoring.importing import events_of_request, import_events
from evalapp.monitoring.models import (
    Alert,
    RetrainProposal,
    Stream,
    WeeklyMetric,
    WeeklySample,
    WeeklySampleState,
)
from evalapp.monitoring.queries import alerts_of, proposals_of, streams_of, weeks_of
from evalapp.monitoring.services import (
    LONGEST_STREAM_NAME,
    MOST_PER_WEEK,
    StreamPlan,
    acknowledge,
    create_stream,
    end_stream,
)
from evalapp.monitoring.trends import is_enough
from evalapp.webhooks.views import site_of

MOST_ROWS_IN_A_REQUEST = 1_000


class StreamSerializer(ReadOnlySerializer):
    """``thresholds``: criterion's key → the least mean (where lower is better the highest), or for
    ``error_criterion`` the highest rate.
    """

    rubric_version = serializers.IntegerField(source="rubric_version_id")
    dataset = serializers.IntegerField(source="dataset_id")
    candidate = serializers.IntegerField(source="candidate_id")
    events = serializers.SerializerMethodField()
    thresholds = serializers.DictField(child=serializers.FloatField())
    created_by = CreatedByField()

    class Meta:
        model = Stream
        fields = (
            "id", "name", "description", "rubric_version", "dataset", "candidate", "outputs_per_week",
            "overlap",
            "stratify_by", "seed", "error_criterion", "thresholds", "baseline_weeks", "next_sample_at",
            "paused_at",
            "ended_at", "events", "created_by", "created_at",
        )  # fmt: skip

    def get_events(self, stream: Any) -> int:
        """How many production events have come in."""
        return stream.event_count or 0


class StreamBody(Body):
    name = Text(max_length=LONGEST_STREAM_NAME)
    description = Text(max_length=2_000, allow_blank=True, default="")
    rubric_version = Id()
    reviewers = List(child=Id(), max_length=500, help_text="Ids of members who review.")
    outputs_per_week = Whole(min_value=1, max_value=MOST_PER_WEEK)
    overlap = Whole(default=1, min_value=1, max_value=MOST_OVERLAP)
    stratify_by = Text(max_length=100, allow_blank=True, default="")
    error_criterion = Text(max_length=40, allow_blank=True, default="")
    thresholds = serializers.DictField(child=Number(), default=dict)
    baseline_weeks = Whole(default=12, min_value=8, max_value=52)
    next_sample_at = serializers.DateTimeField(help_text="The end of the first week that is sampled.")
    seed = Whole(required=False, default=None, allow_null=True)


class ProductionEventsBody(Body):
    rows = List(
        child=Fields(),
        min_length=1,
        max_length=MOST_ROWS_IN_A_REQUEST,
        help_text=(
            "Objects with “id”, “prompt” (or “messages”) and “output”; “context”, “model_version”, “at” and "
            "fields of your own, by which a sample can be stratified."
        ),
    )


class ImportedSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField(help_text="New.")
    known = serializers.IntegerField(help_text="Already imported with the same content.")
    not_reviewed = serializers.IntegerField(
        help_text=(
            "Stored events before the first week or in a week that is already sampled; they will not be"
            " reviewed."
        )
    )


class WeekSerializer(ReadOnlySerializer):
    campaign = serializers.IntegerField(source="campaign_id", allow_null=True)

    class Meta:
        model = WeeklySample
        fields = (
            "number", "begins_at", "ends_at", "state", "population", "size", "note", "campaign",
            "evaluated_at",
        )  # fmt: skip


class WeeklyMetricQuery(Paging):
    criterion = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=40, help_text="A criterion's key."
    )


class WeeklyMetricSerializer(ReadOnlySerializer):
    """A criterion's metric of one evaluated week; ``value`` null where ``reason`` says why. ``is_enough``:
    from 30 reviews on.
    """

    week = serializers.IntegerField(source="weekly_sample.number")
    ends_at = serializers.DateTimeField(source="weekly_sample.ends_at")
    is_enough = serializers.SerializerMethodField()

    class Meta:
        model = WeeklyMetric
        fields = (
            "week", "ends_at", "criterion_key", "criterion_name", "is_rate", "lower_is_better", "value",
            "low", "high", "error",
            "reviews", "items", "is_enough", "reason", "note", "signature",
        )  # fmt: skip

    def get_is_enough(self, metric: Any) -> bool:
        return is_enough(metric)


class AlertSerializer(ReadOnlySerializer):
    week = serializers.IntegerField(source="weekly_sample.number")
    acknowledged_by = serializers.CharField(allow_null=True)

    class Meta:
        model = Alert
        fields = (
            "id", "week", "criterion_key", "criterion_name", "cause", "value", "limit", "message",
            "mail_state", "mail_note",
            "acknowledged_at", "acknowledged_by", "created_at",
        )  # fmt: skip


class ProposalSerializer(ReadOnlySerializer):
    """``weeks``: the weeks in which the version's training rows were reviewed, [{"week", "rows"}]; once
    accepted.
    """

    alert = serializers.IntegerField(source="alert_id")
    dataset_version = serializers.IntegerField(source="dataset_version_id", allow_null=True)
    decided_by = serializers.CharField(allow_null=True)

    class Meta:
        model = RetrainProposal
        fields = (
            "id",
            "alert",
            "state",
            "dataset_version",
            "weeks",
            "reason",
            "decided_at",
            "decided_by",
            "created_at",
        )


class StreamView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def stream(self, stream_id: int) -> Stream:
        return get_or_missing(streams_of(self.project), pk=stream_id)


@route("streams/", "api_streams")
class StreamList(StreamView):
    post_permission = Permission.EDIT_CAMPAIGNS

    @operation("List streams", result=StreamSerializer, paged=True)
    def get(self) -> object:
        """Streams of production events; a sample of the outputs is reviewed every week."""
        return self.page(streams_of(self.project))

    @operation("Create a stream", body=StreamBody, result=StreamSerializer, status=201)
    def post(self) -> object:
        values = self.body()
        rubrics = usable_rubrics(self.project)
        values["rubric_version"] = chosen(
            rubrics, values["rubric_version"], "rubric_version", "rubric version with criteria and the id"
        )
        values["reviewers"] = chosen_all(
            possible_reviewers(self.project), values["reviewers"], "reviewers", "member who may review,"
        )
        stream = create_stream(
            project=self.project,
            plan=StreamPlan(**values),
            site=site_of(self.request._request),
            by=self.person,
        )
        return self.stream(stream.pk)


@route("streams/<int:stream_id>/", "api_stream")
class StreamDetail(StreamView):
    @operation("Read a stream", result=StreamSerializer)
    def get(self, stream_id: int) -> object:
        return self.stream(stream_id)


@route("streams/<int:stream_id>/end/", "api_stream_end")
class StreamEnd(StreamView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("End a stream", result=StreamSerializer)
    def post(self, stream_id: int) -> object:
        """No more weeks are sampled and no events imported; weeks in review continue, and everything is kept.
        This cannot be undone.
        """
        stream = self.stream(stream_id)
        self.body()
        end_stream(stream=stream, by=self.person)
        return self.stream(stream_id)


@route("streams/<int:stream_id>/events/", "api_stream_events")
class StreamEvents(StreamView):
    required_permission = Permission.EDIT_DATA

    @operation("Import production events", body=ProductionEventsBody, result=ImportedSerializer, status=201)
    def post(self, stream_id: int) -> object:
        """All events or none. An event whose id is already imported is skipped, so a request can be
        repeated.
        """
        stream = self.stream(stream_id)
        rows = self.body()["rows"]
        return import_events(stream=stream, rows=events_of_request(rows), by=self.person)


@route("streams/<int:stream_id>/weeks/", "api_stream_weeks")
class StreamWeeks(StreamView):
    order = ("-number",)

    @operation("List a stream's weeks", result=WeekSerializer, paged=True)
    def get(self, stream_id: int) -> object:
        """Newest first; ``size`` of ``population`` outputs are reviewed in ``campaign``."""
        return self.page(weeks_of(self.stream(stream_id)))


@route("streams/<int:stream_id>/metrics/", "api_stream_metrics")
class StreamMetrics(StreamView):
    order = ("weekly_sample__number", "id")

    @operation(
        "List a stream's weekly metrics", query=WeeklyMetricQuery, result=WeeklyMetricSerializer, paged=True
    )
    def get(self, stream_id: int) -> object:
        """One entry per week and criterion, weighted by the inclusion probability of each output."""
        stream = self.stream(stream_id)
        metrics = WeeklyMetric.objects.filter(
            weekly_sample__stream=stream, weekly_sample__state=WeeklySampleState.EVALUATED
        ).select_related("weekly_sample")
        key = self.query["criterion"]
        return self.page(metrics.filter(criterion_key=key) if key else metrics)


@route("streams/<int:stream_id>/alerts/", "api_stream_alerts")
class StreamAlerts(StreamView):
    @operation("List a stream's alerts", result=AlertSerializer, paged=True)
    def get(self, stream_id: int) -> object:
        """Newest first."""
        return self.page(alerts_of(self.stream(stream_id)))


@route("streams/<int:stream_id>/alerts/<int:alert_id>/acknowledge/", "api_alert_acknowledge")
class AlertAcknowledge(StreamView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Acknowledge an alert", result=AlertSerializer)
    def post(self, stream_id: int, alert_id: int) -> object:
        """Marks the alert as seen; the same criterion and cause can then alert again."""
        alerts = alerts_of(self.stream(stream_id)).select_related("stream__project")
        alert = get_or_missing(alerts, pk=alert_id)
        self.body()
        acknowledge(alert=alert, by=self.person)
        return get_or_missing(alerts, pk=alert_id)


@route("streams/<int:stream_id>/proposals/", "api_stream_proposals")
class StreamProposals(StreamView):
    @operation("List a stream's retrain proposals", result=ProposalSerializer, paged=True)
    def get(self, stream_id: int) -> object:
        """Newest first; each is decided on its page."""
        return self.page(proposals_of(self.stream(stream_id)))
