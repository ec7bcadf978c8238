from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.webhooks import (
    WebhookBody,
    WebhookDeliveryQuery,
    WebhookDeliverySerializer,
    WebhookSecretSerializer,
    WebhookSerializer,
)
from evalapp.core.http import get_or_missing
from evalapp.webhooks import queries, services
from evalapp.webhooks.models import WebhookDelivery, WebhookEndpoint
from evalapp.webhooks.views import site_of


class WebhookView(ProjectView):
    required_permission = Permission.MANAGE_WEBHOOKS

    def endpoint(self, webhook_id: int) -> WebhookEndpoint:
        return get_or_missing(queries.endpoints_of(self.project), pk=webhook_id)

    def delivery(self, webhook_id: int, delivery_id: int) -> WebhookDelivery:
        return get_or_missing(queries.deliveries_of(self.endpoint(webhook_id)), pk=delivery_id)


class WebhookList(WebhookView):
    @operation("List webhooks", result=WebhookSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.endpoints_of(self.project))

    @operation("Register a webhook", body=WebhookBody, result=WebhookSecretSerializer, status=201)
    def post(self) -> object:
        """Its host must be one that the operator allows. The secret that signs is shown this once."""
        site = site_of(self.request._request)
        return services.register_endpoint(project=self.project, by=self.person, site=site, **self.body())


class WebhookDetail(WebhookView):
    @operation("Read a webhook", result=WebhookSerializer)
    def get(self, webhook_id: int) -> object:
        return self.endpoint(webhook_id)

    @operation("Change a webhook", body=WebhookBody, result=WebhookSecretSerializer)
    def put(self, webhook_id: int) -> object:
        """Another URL gets a new secret, and the old one is void; else the secret is empty here."""
        endpoint = self.endpoint(webhook_id)
        site = site_of(self.request._request)
        return services.change_endpoint(endpoint=endpoint, by=self.person, site=site, **self.body())

    @operation("Delete a webhook", status=204)
    def delete(self, webhook_id: int) -> None:
        """Its deliveries go too; what waits is never sent."""
        services.delete_endpoint(endpoint=self.endpoint(webhook_id), by=self.person)


class WebhookSecret(WebhookView):
    @operation("Make a new secret", result=WebhookSecretSerializer, status=201)
    def post(self, webhook_id: int) -> object:
        """The old one is void at once."""
        return services.renew_secret(endpoint=self.endpoint(webhook_id), by=self.person)


class WebhookEnable(WebhookView):
    @operation("Switch a webhook on", result=WebhookSerializer)
    def post(self, webhook_id: int) -> object:
        """What waits is sent; what happened while it was off is not made up for."""
        services.enable_endpoint(endpoint=self.endpoint(webhook_id), by=self.person)
        return self.endpoint(webhook_id)


class WebhookDisable(WebhookView):
    @operation("Switch a webhook off", result=WebhookSerializer)
    def post(self, webhook_id: int) -> object:
        """Nothing is sent to it from now on."""
        services.disable_endpoint(endpoint=self.endpoint(webhook_id), by=self.person)
        return self.endpoint(webhook_id)


class WebhookDeliveries(WebhookView):
    @operation("List deliveries", query=WebhookDeliveryQuery, result=WebhookDeliverySerializer, paged=True)
    def get(self, webhook_id: int) -> object:
        """What was sent, with every attempt, newest first."""
        return self.page(queries.deliveries_of(self.endpoint(webhook_id), state=self.query["state"]))


class WebhookRedelivery(WebhookView):
    @operation("Send a delivery once more", result=WebhookDeliverySerializer)
    def post(self, webhook_id: int, delivery_id: int) -> object:
        """The same body under the same id; one that waits is sent now."""
        services.redeliver(delivery=self.delivery(webhook_id, delivery_id), by=self.person)
        return self.delivery(webhook_id, delivery_id)
