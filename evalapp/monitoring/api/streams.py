"""Streams of production events: their weeks, metrics and alerts."""

from typing import Any

from django.db import transaction
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import (
    Body,
    CreatedByField,
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
from evalapp.monitoring.daily.models import LONGEST_METRIC
from evalapp.monitoring.models import (
    Alert,
    Sampling,
    Stream,
    WeeklyMetric,
    WeeklySample,
    WeeklySampleState,
)
from evalapp.monitoring.queries import alerts_of, streams_of, weeks_of
from evalapp.monitoring.services import (
    LONGEST_STREAM_NAME,
    MOST_PER_WEEK,
    StreamPlan,
    change_stream,
    create_stream,
    end_stream,
    pause_stream,
    resume_stream,
)
from evalapp.monitoring.trends import is_enough
from evalapp.monitoring.weeks import sample_now
from evalapp.webhooks.views import site_of

_PLAN_FIELDS = (
    "name", "description", "outputs_per_week", "overlap", "stratify_by", "sampling", "error_criterion",
    "thresholds", "daily_thresholds",
    "baseline_weeks", "next_sample_at", "follows_champion", "key_figures", "seed",
)  # fmt: skip


class KeyFigureSerializer(serializers.Serializer[Any]):
    criterion = serializers.CharField(allow_blank=True)
    metric = serializers.CharField(allow_blank=True)


class DailyThresholdSerializer(serializers.Serializer[Any]):
    """Lowest and highest allowed daily mean (for yes/no: share from 0 to 1); null: no limit."""

    least = serializers.FloatField(required=False, allow_null=True, default=None)
    highest = serializers.FloatField(required=False, allow_null=True, default=None)


class StreamSerializer(ReadOnlySerializer):
    """``thresholds``: criterion's key → lowest allowed mean (highest where lower is better), or for
    ``error_criterion`` the highest allowed rate.
    """

    rubric_version = serializers.IntegerField(source="rubric_version_id")
    dataset = serializers.IntegerField(source="dataset_id")
    candidate = serializers.IntegerField(source="candidate_id")
    events = serializers.SerializerMethodField()
    thresholds = serializers.DictField(child=serializers.FloatField())
    daily_thresholds = serializers.DictField(child=DailyThresholdSerializer())
    key_figures = serializers.DictField(child=KeyFigureSerializer())
    created_by = CreatedByField()

    class Meta:
        model = Stream
        fields = (
            "id", "name", "description", "rubric_version", "dataset", "candidate", "outputs_per_week",
            "overlap", "stratify_by", "sampling", "seed", "error_criterion", "thresholds",
            "daily_thresholds", "baseline_weeks", "next_sample_at",
            "follows_champion", "key_figures", "paused_at",
            "ended_at", "events", "created_by", "created_at",
        )  # fmt: skip

    def get_events(self, stream: Any) -> int:
        """Number of production events received."""
        return int(stream.event_count)


class KeyFigureBody(Body):
    criterion = Text(max_length=40, allow_blank=True, default="", help_text="A criterion's key.")
    metric = Text(
        max_length=LONGEST_METRIC, allow_blank=True, default="", help_text="A metric of all outputs."
    )


class DailyThresholdBody(Body):
    least = Number(required=False, default=None, allow_null=True)
    highest = Number(required=False, default=None, allow_null=True)


class StreamBody(Body):
    name = Text(max_length=LONGEST_STREAM_NAME)
    description = Text(max_length=2_000, allow_blank=True, default="")
    rubric_version = Id()
    reviewers = List(child=Id(), max_length=500, help_text="Ids of members who review.")
    outputs_per_week = Whole(min_value=1, max_value=MOST_PER_WEEK)
    overlap = Whole(default=1, min_value=1, max_value=MOST_OVERLAP)
    stratify_by = Text(max_length=100, allow_blank=True, default="")
    sampling = serializers.ChoiceField(
        choices=Sampling.choices,
        default=Sampling.PROPORTIONAL.value,
        help_text="“By risk” samples strata with more material errors, up to three times as often.",
    )
    error_criterion = Text(max_length=40, allow_blank=True, default="")
    thresholds = serializers.DictField(child=Number(), default=dict)
    daily_thresholds = serializers.DictField(
        child=DailyThresholdBody(),
        default=dict,
        help_text="By name of the daily metric; a day with a mean below `least` or above `highest` alerts.",
    )
    baseline_weeks = Whole(default=12, min_value=8, max_value=52)
    next_sample_at = serializers.DateTimeField(help_text="End of the first week to sample.")
    key_figures = serializers.DictField(
        child=KeyFigureBody(),
        required=False,
        default=None,
        allow_null=True,
        help_text="By role (satisfaction, relevance, hallucination); default: chosen from the rubric.",
    )
    follows_champion = serializers.BooleanField(
        default=True, help_text="If true, whoever becomes the project's champion is deployed in this stream."
    )
    seed = Whole(required=False, default=None, allow_null=True)


class WeekSerializer(ReadOnlySerializer):
    campaign = serializers.IntegerField(source="campaign_id", allow_null=True)
    late = serializers.IntegerField(
        help_text="Number of outputs of the population that arrived late and are of other weeks."
    )

    class Meta:
        model = WeeklySample
        fields = (
            "number", "begins_at", "ends_at", "state", "population", "late", "size", "anchors", "note",
            "campaign", "evaluated_at",
        )  # fmt: skip


class WeeklyMetricQuery(Paging):
    criterion = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=40, help_text="A criterion's key."
    )


class WeeklyMetricSerializer(ReadOnlySerializer):
    """A criterion's metric in one evaluated week; if ``value`` is null, ``reason`` says why. ``is_enough`` is
    true from 30 reviews on.
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
            "narrowed_by", "narrowed_value", "narrowed_low", "narrowed_high",
        )  # fmt: skip

    def get_is_enough(self, metric: Any) -> bool:
        return is_enough(metric)


class EvidenceSerializer(serializers.Serializer[Any]):
    """A change since the baseline in points of score, with its interval; if undefined, ``reason``
    says why.
    """

    name = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()
    reason = serializers.CharField(allow_blank=True)


class AlertSerializer(ReadOnlySerializer):
    week = serializers.IntegerField(source="weekly_sample.number")
    cause_reviewer = serializers.CharField(
        allow_null=True, help_text="Name of the reviewer, if the cause is one reviewer."
    )
    evidence = EvidenceSerializer(many=True)
    incident = serializers.IntegerField(source="incident_id")

    class Meta:
        model = Alert
        fields = (
            "id", "incident", "week", "criterion_key", "criterion_name", "kind", "cause", "cause_reason",
            "cause_reviewer", "evidence", "told_week", "value", "limit", "message", "created_at",
        )  # fmt: skip


class StreamPatch(StreamBody):
    paused = serializers.BooleanField(
        help_text="While paused, a stream accepts events, but no week is sampled."
    )


class StreamView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def stream(self, stream_id: int) -> Stream:
        return get_or_missing(streams_of(self.project), pk=stream_id)

    def plan(self, values: dict[str, Any]) -> StreamPlan:
        """Reads a stream's plan from the body. Raises InvalidError if the project lacks something that it
        names.
        """
        values["rubric_version"] = chosen(
            usable_rubrics(self.project),
            values["rubric_version"],
            "rubric_version",
            "rubric version with criteria and the id",
        )
        values["reviewers"] = chosen_all(
            possible_reviewers(self.project), values["reviewers"], "reviewers", "member who may review,"
        )
        return StreamPlan(**values)


@route("streams/", "api_streams")
class StreamList(StreamView):
    post_permission = Permission.EDIT_CAMPAIGNS

    @operation("List streams", result=StreamSerializer, paged=True)
    def get(self) -> object:
        """Streams of production events; every week, people review a sample of the outputs."""
        return self.page(streams_of(self.project))

    @operation("Create a stream", body=StreamBody, result=StreamSerializer, status=201)
    def post(self) -> object:
        plan = self.plan(self.body())
        stream = create_stream(
            project=self.project, plan=plan, site=site_of(self.request._request), by=self.person
        )
        return self.stream(stream.pk)


@route("streams/<int:stream_id>/", "api_stream")
class StreamDetail(StreamView):
    post_permission = Permission.EDIT_CAMPAIGNS

    @operation("Read a stream", result=StreamSerializer)
    def get(self, stream_id: int) -> object:
        return self.stream(stream_id)

    @operation("Change a stream", body=StreamPatch, result=StreamSerializer)
    def patch(self, stream_id: int) -> object:
        """Fields that are left out are unchanged. Changes apply from the next week on; ``paused`` stops the
        weekly samples or resumes them with the current week.
        """
        stream = self.stream(stream_id)
        current = {name: getattr(stream, name) for name in _PLAN_FIELDS} | {
            "rubric_version": stream.rubric_version_id,
            "reviewers": list(stream.stream_reviewers.order_by("user").values_list("user", flat=True)),
            "paused": stream.paused_at is not None,
        }
        values = self.changes(current)
        paused = values.pop("paused")
        with transaction.atomic():
            if any(values[name] != current[name] for name in values):
                change_stream(stream=stream, plan=self.plan(values), by=self.person)
            if paused != current["paused"]:
                move = pause_stream if paused else resume_stream
                move(stream=stream, by=self.person)
        return self.stream(stream_id)


@route("streams/<int:stream_id>/draw/", "api_stream_draw")
class StreamDraw(StreamView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Sample a waiting week", result=StreamSerializer, status=202)
    def post(self, stream_id: int) -> object:
        """Samples the newest week that had no events or whose job failed once more. 409 if no week waits."""
        stream = self.stream(stream_id)
        self.body()
        sample_now(stream=stream, by=self.person)
        return self.stream(stream_id)


@route("streams/<int:stream_id>/end/", "api_stream_end")
class StreamEnd(StreamView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("End a stream", result=StreamSerializer)
    def post(self, stream_id: int) -> object:
        """Samples no more weeks and imports no more events; weeks in review continue, and all data are kept.
        This cannot be undone.
        """
        stream = self.stream(stream_id)
        self.body()
        end_stream(stream=stream, by=self.person)
        return self.stream(stream_id)


@route("streams/<int:stream_id>/weeks/", "api_stream_weeks")
class StreamWeeks(StreamView):
    order = ("-number",)

    @operation("List a stream's weeks", result=WeekSerializer, paged=True)
    def get(self, stream_id: int) -> object:
        """Newest first; people review ``size`` of the ``population`` outputs in ``campaign``."""
        return self.page(weeks_of(self.stream(stream_id)))


@route("streams/<int:stream_id>/metrics/", "api_stream_metrics")
class StreamMetrics(StreamView):
    order = ("weekly_sample__number", "id")

    @operation(
        "List a stream's weekly metrics", query=WeeklyMetricQuery, result=WeeklyMetricSerializer, paged=True
    )
    def get(self, stream_id: int) -> object:
        """One entry per week and criterion; each output is weighted by its inclusion probability."""
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
