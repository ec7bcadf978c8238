from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Shown, Text
from evalapp.api.serializers.analysis import REVIEWER_TYPES
from evalapp.api.serializers.common import CreatedByField
from evalapp.api.serializers.jobs import JobSerializer
from evalapp.decisions.saved_views import LONGEST_QUERY
from evalapp.reports.models import Report


class ReportFileSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()


class ReportSerializer(Shown):
    """A campaign's results as files of one moment. ``data_digest`` covers all that they rest on."""

    campaign = serializers.IntegerField(source="campaign_id")
    job = JobSerializer(allow_null=True)
    files = ReportFileSerializer(many=True)
    created_by = CreatedByField()

    class Meta:
        model = Report
        fields = (
            "id", "campaign", "state", "reviewer_type", "view", "view_words", "files", "data_digest", "is_simulated", "job", "created_by",
            "created_at", "finished_at",
        )  # fmt: skip


class ReportBody(Body):
    reviewer_type = serializers.ChoiceField(
        choices=REVIEWER_TYPES,
        required=False,
        default="all",
        help_text="A choice in demonstration projects alone.",
    )
    view = Text(
        max_length=LONGEST_QUERY,
        allow_blank=True,
        default="",
        help_text="The filter, as the URL of a comparison has it: “field.segment=retail&split=test”.",
    )
