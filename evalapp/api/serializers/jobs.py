from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Paging, Shown
from evalapp.api.serializers.common import CreatedByField
from evalapp.jobs.models import Job, JobEvent, Priority
from evalapp.jobs.queries import STATE_FILTERS

PRIORITIES = [(priority.name.lower(), priority.label) for priority in Priority]


class PriorityField(serializers.ChoiceField):
    """A priority by its name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=PRIORITIES, **options)

    def to_internal_value(self, data: Any) -> Any:
        return Priority[str(super().to_internal_value(data)).upper()]

    def to_representation(self, value: Any) -> str:
        return Priority(value).name.lower()


class PriorityBody(Body):
    priority = PriorityField()


class JobSerializer(Shown):
    """Long work. Ask again until ``is_over``."""

    created_by = CreatedByField()
    paused_by = CreatedByField()
    priority = PriorityField()
    is_over = serializers.BooleanField()
    percent = serializers.IntegerField(allow_null=True)
    lacks = serializers.ListField(
        child=serializers.CharField(),
        help_text="Of a waiting job: what keeps which machine from it, a sentence for each; another machine may take it.",
    )

    class Meta:
        model = Job
        fields = (
            "id", "title", "queue", "priority", "state", "is_over", "stage", "progress_done", "progress_total", "percent",
            "eta_seconds", "attempt", "lost_attempts", "error", "lacks", "result", "created_by", "created_at", "started_at",
            "finished_at", "queued_at", "claimed_at", "device", "paused_by", "pause_requested_at",
        )  # fmt: skip


class JobEventSerializer(Shown):
    class Meta:
        model = JobEvent
        fields = ("id", "at", "attempt", "level", "text", "data")


class JobQuery(Paging):
    state = serializers.ChoiceField(choices=list(STATE_FILTERS), required=False, default="")
