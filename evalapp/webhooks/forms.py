from typing import Any

from django import forms

from evalapp.core.outgoing_fields import url_field
from evalapp.webhooks.models import WebhookEndpoint, WebhookEvent


class EndpointForm(forms.Form):
    """The fields to register or change an endpoint."""

    url = url_field("Where events are sent, by POST. A new URL gets a new secret.")
    events = forms.MultipleChoiceField(
        choices=WebhookEvent.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one event."},
    )
    includes_text = forms.BooleanField(
        label="Include review texts",
        required=False,
        help_text="Scores, reasons, comments and corrections of a submitted review. Never who wrote them.",
    )

    def __init__(self, data: Any = None, *, endpoint: WebhookEndpoint | None = None) -> None:
        initial: dict[str, Any] = {"events": [WebhookEvent.CAMPAIGN_COMPLETED.value]}
        if endpoint is not None:
            initial = {
                "url": endpoint.url,
                "events": endpoint.events,
                "includes_text": endpoint.includes_text,
            }
        super().__init__(data, initial=initial)
