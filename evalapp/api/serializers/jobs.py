from rest_framework import serializers

from evalapp.api.fields import Paging, Shown
from evalapp.api.serializers.common import CreatedByField
from evalapp.jobs.models import Job, JobEvent
from evalapp.jobs.queries import STATE_FILTERS


class JobSerializer(Shown):
    """Long work. Ask again until ``is_over``."""

    created_by = CreatedByField()
    is_over = serializers.BooleanField()
    percent = serializers.IntegerField(allow_null=True)

    class Meta:
        model = Job
        fields = (
            "id", "title", "queue", "state", "is_over", "stage", "progress_done", "progress_total", "percent",
            "eta_seconds", "attempt", "lost_attempts", "error", "result", "created_by", "created_at", "started_at",
            "finished_at",
        )  # fmt: skip


class JobEventSerializer(Shown):
    class Meta:
        model = JobEvent
        fields = ("id", "at", "attempt", "level", "text", "data")


class JobQuery(Paging):
    state = serializers.ChoiceField(choices=list(STATE_FILTERS), required=False, default="")
