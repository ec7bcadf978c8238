"""Writes of webhooks: endpoints, secrets and redelivery."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple

from django.db import transaction
from django.db.models.functions import Now

from evalapp.accounts.models import Project, User
from evalapp.accounts.services import lock_members
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.outgoing import checked_url, origin_of
from evalapp.core.uniqueness import unless_taken
from evalapp.webhooks.models import (
    TEST_EVENT,
    DeliveryState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from evalapp.webhooks.signing import new_salt, secret_of

MOST_ENDPOINTS = 20


class EndpointSecret(NamedTuple):
    """``secret`` is shown only now; empty if unchanged."""

    endpoint: WebhookEndpoint
    secret: str


@transaction.atomic
def register_endpoint(
    *, project: Project, url: str, events: Iterable[str], includes_text: bool, site: str, by: User
) -> EndpointSecret:
    """Register a URL for events. ``site``: this installation's address as its users see it.

    Raises InvalidError (``URL``, ``events``) and OutgoingRefusedError; ConflictError if the project has the
    URL already or 20 others.
    """
    url = checked_url(url)
    lock_members([project.pk])
    if project.webhook_endpoints.count() >= MOST_ENDPOINTS:
        raise ConflictError(
            f"This project has {MOST_ENDPOINTS} webhooks; delete one that is no longer used first."
        )
    endpoint = WebhookEndpoint(
        project=project,
        url=url,
        site=site.rstrip("/"),
        events=_checked_events(events),
        includes_text=includes_text,
        secret_salt=new_salt(),
        created_by=by,
    )
    with _url_is_free():
        endpoint.save()
    record("webhook.registered", by=by, obj=endpoint, project=project, data=_in_audit(endpoint))
    return EndpointSecret(endpoint, secret_of(endpoint))


@transaction.atomic
def change_endpoint(
    *,
    endpoint: WebhookEndpoint,
    url: str,
    events: Iterable[str],
    includes_text: bool,
    site: str,
    by: User,
) -> EndpointSecret:
    """Change what is sent, and where: another URL gets a new secret, and the old one becomes void.

    Raises as `register_endpoint`.
    """
    url = checked_url(url)
    events = _checked_events(events)
    stored = _locked(endpoint)
    is_moved = url != stored.url
    stored.url, stored.events, stored.includes_text = url, events, includes_text
    stored.site = site.rstrip("/")
    if is_moved:
        stored.secret_salt = new_salt()
        stored.failures_in_row, stored.failing_since = 0, None
    with _url_is_free():
        stored.save()
    record("webhook.changed", by=by, obj=stored, project=stored.project, data=_in_audit(stored))
    return EndpointSecret(stored, secret_of(stored) if is_moved else "")


@transaction.atomic
def renew_secret(*, endpoint: WebhookEndpoint, by: User) -> EndpointSecret:
    """Sign with a new secret from now on; the old one is void at once."""
    stored = _locked(endpoint)
    stored.secret_salt = new_salt()
    stored.save(update_fields=["secret_salt"])
    record("webhook.secret_renewed", by=by, obj=stored, project=stored.project)
    return EndpointSecret(stored, secret_of(stored))


@transaction.atomic
def enable_endpoint(*, endpoint: WebhookEndpoint, by: User) -> None:
    """Switch an endpoint on again: waiting deliveries are sent; events of the meantime are not.

    Raises ConflictError if it is on, OutgoingRefusedError if its URL may no longer be reached.
    """
    checked_url(endpoint.url)
    off = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at__isnull=False)
    if not off.update(disabled_at=None, disabled_because="", failures_in_row=0, failing_since=None):
        raise ConflictError("This webhook is on already.")
    record("webhook.enabled", by=by, obj=endpoint, project=endpoint.project)


@transaction.atomic
def disable_endpoint(*, endpoint: WebhookEndpoint, by: User | None, because: str = "") -> None:
    """Stop sending to an endpoint. Raises ConflictError if it is off. ``by`` None: the product itself."""
    reason = because or f"Switched off by {by}."
    enabled = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at=None)
    if not enabled.update(disabled_at=Now(), disabled_because=reason[:400]):
        raise ConflictError("This webhook is off already.")
    data = {"because": because} if because else {}
    record("webhook.disabled", by=by, obj=endpoint, project=endpoint.project, data=data)


@transaction.atomic
def delete_endpoint(*, endpoint: WebhookEndpoint, by: User) -> None:
    """Delete an endpoint and its deliveries; waiting ones are never sent."""
    record("webhook.deleted", by=by, obj=endpoint, project=endpoint.project)
    endpoint.delete()


@transaction.atomic
def send_test(*, endpoint: WebhookEndpoint, by: User) -> WebhookDelivery:
    """Send a test delivery without an event. Raises ConflictError if the endpoint is off."""
    _require_on(endpoint)
    delivery = WebhookDelivery.objects.create(endpoint=endpoint, event=TEST_EVENT, next_attempt_at=Now())
    record("webhook.tested", by=by, obj=endpoint, project=endpoint.project)
    return delivery


@transaction.atomic
def redeliver(*, delivery: WebhookDelivery, by: User) -> None:
    """Send a delivery again, starting with its first attempt; a receiver recognises it by its id.

    Raises ConflictError if it is being sent already, or its endpoint is off.
    """
    _require_on(delivery.endpoint)
    again = {"state": DeliveryState.WAITING, "attempts": 0, "next_attempt_at": Now(), "delivered_at": None}
    ended = [DeliveryState.DELIVERED, DeliveryState.FAILED]
    if not WebhookDelivery.objects.filter(pk=delivery.pk, state__in=ended).update(**again):
        # A delivery waiting for its next attempt is sent at once.
        waiting = WebhookDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING)
        if not waiting.update(next_attempt_at=Now()):
            raise ConflictError("This delivery is being sent now. Reload the page.")
    endpoint = delivery.endpoint
    record(
        "webhook.redelivered",
        by=by,
        obj=endpoint,
        project=endpoint.project,
        data={"delivery": str(delivery.key)},
    )


def _require_on(endpoint: WebhookEndpoint) -> None:
    if endpoint.disabled_at is not None:
        raise ConflictError("This webhook is off, so nothing is sent. Switch it on first.")


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    found = WebhookEndpoint.objects.select_related("project").select_for_update(of=("self",))
    stored = found.filter(pk=endpoint.pk).first()
    if stored is None:
        raise ConflictError("Somebody else has deleted this webhook in the meantime.")
    return stored


def _checked_events(events: Iterable[str]) -> list[str]:
    chosen = set(events)
    if unknown := sorted(chosen - set(WebhookEvent.values)):
        raise InvalidError(
            f"There is no event “{unknown[0][:60]}”. Known: {', '.join(WebhookEvent.values)}.", field="events"
        )
    if not chosen:
        raise InvalidError(
            "Choose at least one event; a webhook without any would never be called.", field="events"
        )
    return [event for event in WebhookEvent.values if event in chosen]


def _url_is_free() -> AbstractContextManager[None]:
    return unless_taken("This project has a webhook at this URL already; change that one.", field="url")


def _in_audit(endpoint: WebhookEndpoint) -> dict[str, object]:
    # Without the path, which may contain a secret of the receiver.
    return {
        "url": origin_of(endpoint.url),
        "events": endpoint.events,
        "includes_text": endpoint.includes_text,
    }
