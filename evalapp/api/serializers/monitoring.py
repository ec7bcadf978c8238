from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Fields, Id, List, Number, Paging, Shown, Text, Whole
from evalapp.api.serializers.common import CreatedByField
from evalapp.campaigns.design import MOST_OVERLAP
from evalapp.monitoring.following import is_enough
from evalapp.monitoring.models import Alert, RetrainProposal, Stream, WeeklyMetric, WeeklySample
from evalapp.monitoring.services import LONGEST_STREAM_NAME, MOST_PER_WEEK

MOST_ROWS_IN_A_REQUEST = 1_000


class StreamSerializer(Shown):
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
            "id", "name", "description", "rubric_version", "dataset", "candidate", "outputs_per_week", "overlap",
            "stratify_by", "seed", "error_criterion", "thresholds", "baseline_weeks", "next_sample_at", "paused_at",
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
        help_text="Objects with “id”, “prompt” (or “messages”) and “output”; “context”, “model_version”, “at” and "
        "fields of your own, by which a sample can be stratified.",
    )


class ImportedSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField(help_text="New.")
    known = serializers.IntegerField(help_text="Here already, just the same.")
    not_reviewed = serializers.IntegerField(
        help_text="Of those stored: lie before the first week or in a week that is sampled already, and will not be reviewed."
    )


class WeekSerializer(Shown):
    campaign = serializers.IntegerField(source="campaign_id", allow_null=True)

    class Meta:
        model = WeeklySample
        fields = (
            "number", "begins_at", "ends_at", "state", "population", "size", "note", "campaign", "evaluated_at",
        )  # fmt: skip


class WeeklyMetricQuery(Paging):
    criterion = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=40, help_text="A criterion's key."
    )


class WeeklyMetricSerializer(Shown):
    """A criterion's metric of one evaluated week; ``value`` null where ``reason`` says why. ``is_enough``: from 30
    reviews on.
    """

    week = serializers.IntegerField(source="weekly_sample.number")
    ends_at = serializers.DateTimeField(source="weekly_sample.ends_at")
    is_enough = serializers.SerializerMethodField()

    class Meta:
        model = WeeklyMetric
        fields = (
            "week", "ends_at", "criterion_key", "criterion_name", "is_rate", "lower_is_better", "value", "low", "high", "error",
            "reviews", "items", "is_enough", "reason", "note", "signature",
        )  # fmt: skip

    def get_is_enough(self, metric: Any) -> bool:
        return is_enough(metric)


class AlertSerializer(Shown):
    week = serializers.IntegerField(source="weekly_sample.number")
    acknowledged_by = serializers.CharField(allow_null=True)

    class Meta:
        model = Alert
        fields = (
            "id", "week", "criterion_key", "criterion_name", "cause", "value", "limit", "message", "mail_state", "mail_note",
            "acknowledged_at", "acknowledged_by", "created_at",
        )  # fmt: skip


class ProposalSerializer(Shown):
    """``weeks``: the weeks in which the version's training rows were reviewed, [{"week", "rows"}]; once accepted."""

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
