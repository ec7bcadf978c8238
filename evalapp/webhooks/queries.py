from django.db.models import Count, Max, Prefetch, Q, QuerySet

from evalapp.accounts.models import Project
from evalapp.webhooks.models import GOING, DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint

_LOG = Prefetch("log", queryset=WebhookAttempt.objects.order_by("id"))


def endpoints_of(project: Project) -> QuerySet[WebhookEndpoint]:
    """The project's endpoints, with ``waiting``, ``given_up`` and ``last_delivered`` of their deliveries."""
    return (
        project.webhook_endpoints.select_related("created_by", "project")
        .annotate(
            waiting=Count("deliveries", filter=Q(deliveries__state__in=GOING)),
            given_up=Count("deliveries", filter=Q(deliveries__state=DeliveryState.FAILED)),
            last_delivered=Max("deliveries__delivered_at"),
        )
        .order_by("id")
    )


def switched_off(project: Project) -> QuerySet[WebhookEndpoint]:
    """Endpoints that the product itself switched off, for the to-do list."""
    return project.webhook_endpoints.filter(disabled_at__isnull=False, failures_in_row__gt=0).order_by("-id")


def deliveries_of(endpoint: WebhookEndpoint, *, state: str = "") -> QuerySet[WebhookDelivery]:
    """An endpoint's deliveries; ``state`` is a DeliveryState, or empty for all."""
    deliveries = endpoint.deliveries.select_related("endpoint__project").prefetch_related(_LOG)
    return deliveries.filter(state=state) if state in DeliveryState.values else deliveries
