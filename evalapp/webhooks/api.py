"""Webhooks and their deliveries."""

from typing import Any

from django.forms import model_to_dict
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, CreatedByField, Flag, List, Paging, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.http import get_or_missing
from evalapp.core.outgoing import LONGEST_URL
from evalapp.webhooks import queries, services
from evalapp.webhooks.models import (
    DeliveryState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from evalapp.webhooks.views import site_of


class WebhookBody(Body):
    url = Text(max_length=LONGEST_URL)
    events = List(
        child=serializers.ChoiceField(choices=WebhookEvent.choices),
        allow_empty=False,
        max_length=len(WebhookEvent.values),
    )
    includes_text = Flag(
        default=False,
        help_text="Whether to send the scores, reasons, comments and corrections of a submitted review.",
    )


class WebhookSerializer(ReadOnlySerializer):
    events = serializers.ListField(child=serializers.ChoiceField(choices=WebhookEvent.choices))
    created_by = CreatedByField()

    class Meta:
        model = WebhookEndpoint
        fields = (
            *("id", "url", "events", "includes_text", "failures_in_row", "failing_since"),
            *("disabled_at", "disabled_because", "created_by", "created_at"),
        )


class WebhookSecretSerializer(serializers.Serializer[Any]):
    """A webhook, with its secret if that is new."""

    webhook = WebhookSerializer(source="endpoint")
    secret = serializers.CharField(help_text="Shown only once; empty if the webhook keeps its secret.")


class WebhookAttemptSerializer(ReadOnlySerializer):
    class Meta:
        model = WebhookAttempt
        fields = ("created_at", "status", "answer", "problem", "seconds")


class WebhookDeliverySerializer(ReadOnlySerializer):
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


class WebhookView(ProjectView):
    required_permission = Permission.MANAGE_WEBHOOKS

    def endpoint(self, webhook_id: int) -> WebhookEndpoint:
        return get_or_missing(queries.endpoints_of(self.project), pk=webhook_id)

    def delivery(self, webhook_id: int, delivery_id: int) -> WebhookDelivery:
        return get_or_missing(queries.deliveries_of(self.endpoint(webhook_id)), pk=delivery_id)


@route("webhooks/", "api_webhooks")
class WebhookList(WebhookView):
    @operation("List webhooks", result=WebhookSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.endpoints_of(self.project))

    @operation("Register a webhook", body=WebhookBody, result=WebhookSecretSerializer, status=201)
    def post(self) -> object:
        """The operator must allow the webhook's host. The signing secret is shown only once."""
        site = site_of(self.request._request)
        return services.register_endpoint(project=self.project, by=self.person, site=site, **self.body())


@route("webhooks/<int:webhook_id>/", "api_webhook")
class WebhookDetail(WebhookView):
    @operation("Read a webhook", result=WebhookSerializer)
    def get(self, webhook_id: int) -> object:
        return self.endpoint(webhook_id)

    @operation("Change a webhook", body=WebhookBody, result=WebhookSecretSerializer)
    def patch(self, webhook_id: int) -> object:
        """Fields that are left out are unchanged. A new URL gets a new secret, and the old one becomes
        invalid; otherwise the secret is empty here.
        """
        endpoint = self.endpoint(webhook_id)
        changed = self.changes(model_to_dict(endpoint, fields=WebhookBody().fields))
        site = site_of(self.request._request)
        return services.change_endpoint(endpoint=endpoint, by=self.person, site=site, **changed)

    @operation("Delete a webhook", status=204)
    def delete(self, webhook_id: int) -> None:
        """Deletes its deliveries, too; waiting deliveries are never sent."""
        services.delete_endpoint(endpoint=self.endpoint(webhook_id), by=self.person)


@route("webhooks/<int:webhook_id>/secret/", "api_webhook_secret")
class WebhookSecret(WebhookView):
    @operation("Renew a webhook's secret", result=WebhookSecretSerializer, status=201)
    def post(self, webhook_id: int) -> object:
        """The old secret becomes invalid at once."""
        return services.renew_secret(endpoint=self.endpoint(webhook_id), by=self.person)


@route("webhooks/<int:webhook_id>/enable/", "api_webhook_enable")
class WebhookEnable(WebhookView):
    @operation("Switch a webhook on", result=WebhookSerializer)
    def post(self, webhook_id: int) -> object:
        """Sends waiting deliveries; events that happened while it was off are not sent."""
        services.enable_endpoint(endpoint=self.endpoint(webhook_id), by=self.person)
        return self.endpoint(webhook_id)


@route("webhooks/<int:webhook_id>/disable/", "api_webhook_disable")
class WebhookDisable(WebhookView):
    @operation("Switch a webhook off", result=WebhookSerializer)
    def post(self, webhook_id: int) -> object:
        """From now on nothing is sent to the webhook."""
        services.disable_endpoint(endpoint=self.endpoint(webhook_id), by=self.person)
        return self.endpoint(webhook_id)


@route("webhooks/<int:webhook_id>/deliveries/", "api_webhook_deliveries")
class WebhookDeliveries(WebhookView):
    @operation("List deliveries", query=WebhookDeliveryQuery, result=WebhookDeliverySerializer, paged=True)
    def get(self, webhook_id: int) -> object:
        """Deliveries with every attempt, newest first."""
        return self.page(queries.deliveries_of(self.endpoint(webhook_id), state=self.query["state"]))


@route("webhooks/<int:webhook_id>/deliveries/<int:delivery_id>/redeliver/", "api_webhook_redeliver")
class WebhookRedelivery(WebhookView):
    @operation("Redeliver", result=WebhookDeliverySerializer)
    def post(self, webhook_id: int, delivery_id: int) -> object:
        """Sends the same body with the same id again; a waiting delivery is sent now."""
        services.redeliver(delivery=self.delivery(webhook_id, delivery_id), by=self.person)
        return self.delivery(webhook_id, delivery_id)
