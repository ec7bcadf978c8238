from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Flag, List, Paging, Shown, Text
from evalapp.api.serializers.common import CreatedByField
from evalapp.core.outgoing import LONGEST_URL
from evalapp.webhooks.models import (
    DeliveryState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)


class WebhookBody(Body):
    url = Text(max_length=LONGEST_URL)
    events = List(
        child=serializers.ChoiceField(choices=WebhookEvent.choices),
        allow_empty=False,
        max_length=len(WebhookEvent.values),
    )
    includes_text = Flag(
        default=False, help_text="With scores, reasons, comments and corrections of a submitted review."
    )


class WebhookSerializer(Shown):
    events = serializers.ListField(child=serializers.ChoiceField(choices=WebhookEvent.choices))
    created_by = CreatedByField()

    class Meta:
        model = WebhookEndpoint
        fields = (
            *("id", "url", "events", "includes_text", "failures_in_row", "failing_since"),
            *("disabled_at", "disabled_because", "created_by", "created_at"),
        )


class WebhookSecretSerializer(serializers.Serializer[Any]):
    """A webhook with its new secret."""

    webhook = WebhookSerializer(source="endpoint")
    secret = serializers.CharField(
        help_text="Shown this once; empty where the webhook keeps the secret it has."
    )


class WebhookAttemptSerializer(Shown):
    class Meta:
        model = WebhookAttempt
        fields = ("created_at", "status", "answer", "problem", "seconds")


class WebhookDeliverySerializer(Shown):
    log = WebhookAttemptSerializer(many=True)

    class Meta:
        model = WebhookDelivery
        fields = (
            *("id", "key", "event", "state", "attempts", "next_attempt_at", "delivered_at"),
            *("created_at", "body", "log"),
        )


class WebhookDeliveryQuery(Paging):
    state = serializers.ChoiceField(
        choices=DeliveryState.choices, required=False, default="", allow_blank=True
    )
