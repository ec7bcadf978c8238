"""What becomes of a delivery, against a real server that answers well, badly, slowly or not at all."""

import datetime as dt
import hmac
import json
from hashlib import sha256

import pytest
from django.utils import timezone

from evalapp.audit.models import AuditEvent
from evalapp.celery import DUTIES, app
from evalapp.decisions.inbox import inbox_of
from evalapp.webhooks import deliveries
from evalapp.webhooks.deliveries import (
    MOST_FAILURES,
    PAUSES,
    attempt,
    claim_due,
    deliver_due,
    note_outcome,
    notify_if_due,
    remove_old_deliveries,
)
from evalapp.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from evalapp.webhooks.services import enable_endpoint, redeliver, send_test
from evalapp.webhooks.signing import secret_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def delivery(endpoint, manager) -> WebhookDelivery:
    return send_test(endpoint=endpoint, by=manager)


def again(delivery) -> WebhookDelivery:
    return WebhookDelivery.objects.select_related("endpoint").get(pk=delivery.pk)


def make_due(delivery) -> None:
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        next_attempt_at=timezone.now() - dt.timedelta(hours=1)
    )


def test_a_delivery_is_signed_so_that_its_receiver_can_tell(delivery, endpoint, receiver):
    assert deliver_due() == 1
    [call] = receiver.calls
    timestamp = call.headers["Evalapp-Timestamp"]
    signed = timestamp.encode() + b"." + call.body
    expected = hmac.new(secret_of(endpoint).encode(), signed, sha256).hexdigest()
    assert call.headers["Evalapp-Signature"] == f"v1={expected}"
    assert abs(int(timestamp) - timezone.now().timestamp()) < 10
    assert (call.headers["Evalapp-Event"], call.headers["Evalapp-Delivery"]) == ("test", str(delivery.key))
    assert call.headers["Content-Type"] == "application/json"
    assert json.loads(call.body)["id"] == str(delivery.key)
    stored = again(delivery)
    assert (stored.state, stored.attempts, stored.next_attempt_at) == (DeliveryState.DELIVERED, 1, None)
    assert [(each.status, each.answer, each.problem) for each in stored.log.all()] == [(200, "thanks", "")]


@pytest.mark.parametrize(
    ("behaviour", "status", "problem"),
    [
        (500, 500, "Answered 500"),
        (404, 404, "Answered 404"),
        (302, 302, "a redirect to http://elsewhere.example; redirects are not followed"),
        ("cut", None, "The connection broke"),
        ("nonsense", None, "The connection broke"),
        ("silence", None, "within"),
    ],
)
def test_whatever_goes_wrong_is_noted_and_tried_again(
    behaviour, status, problem, delivery, receiver, monkeypatch
):
    monkeypatch.setattr(deliveries, "ANSWER_SECONDS", 0.5)
    receiver.answer = behaviour
    receiver.location = "http://elsewhere.example/x?secret=1" if behaviour == 302 else ""
    assert deliver_due() == 1
    stored = again(delivery)
    assert (stored.state, stored.attempts) == (DeliveryState.WAITING, 1)
    assert PAUSES[0] - dt.timedelta(seconds=5) < stored.next_attempt_at - timezone.now() <= PAUSES[0]
    [logged] = stored.log.all()
    assert logged.status == status
    assert problem in logged.problem
    assert "secret" not in logged.problem
    assert (stored.endpoint.failures_in_row, stored.endpoint.failing_since is None) == (1, False)
    receiver.answer = 204
    make_due(delivery)
    deliver_due()
    stored = again(delivery)
    assert (stored.state, stored.endpoint.failures_in_row, stored.endpoint.failing_since) == (
        DeliveryState.DELIVERED,
        0,
        None,
    )
    bodies = {call.body for call in receiver.calls}
    assert len(bodies) == 1


def test_after_the_last_pause_it_is_given_up(delivery, receiver):
    receiver.answer = 503
    waits = []
    for _ in range(len(PAUSES) + 1):
        assert deliver_due() == 1
        stored = again(delivery)
        if stored.next_attempt_at:
            waits.append(round((stored.next_attempt_at - timezone.now()).total_seconds() / 60))
        make_due(delivery) if stored.state == DeliveryState.WAITING else None
    assert waits == [1, 5, 30, 120, 720]
    assert (again(delivery).state, deliver_due()) == (DeliveryState.FAILED, 0)


def test_a_button_sends_it_once_more_under_the_same_id(delivery, manager, receiver):
    receiver.answer = 503
    for _ in range(len(PAUSES) + 1):
        deliver_due()
        if again(delivery).state == DeliveryState.WAITING:
            make_due(delivery)
    receiver.answer = 200
    redeliver(delivery=again(delivery), by=manager)
    assert deliver_due() == 1
    assert again(delivery).state == DeliveryState.DELIVERED
    assert {call.headers["Evalapp-Delivery"] for call in receiver.calls} == {str(delivery.key)}


def test_a_receiver_that_fails_for_long_is_switched_off_and_its_manager_hears_of_it(
    delivery, endpoint, manager, receiver, project
):
    receiver.answer = 500
    for _ in range(MOST_FAILURES + 3):
        redeliver(delivery=again(delivery), by=manager)
        deliver_due()
    endpoint.refresh_from_db()
    # Many failures within minutes are a restart while reviews pour in.
    assert endpoint.disabled_at is None
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        failing_since=timezone.now() - dt.timedelta(hours=2)
    )
    redeliver(delivery=again(delivery), by=manager)
    deliver_due()
    endpoint.refresh_from_db()
    assert endpoint.disabled_at is not None
    assert "Answered 500" in endpoint.disabled_because
    assert AuditEvent.objects.filter(action="webhook.disabled", actor_id=None).count() == 1
    [entry] = [entry for entry in inbox_of(project) if entry.kind == "webhook"]
    assert entry.href == f"/projects/{project.slug}/settings/webhooks/{endpoint.pk}/"
    WebhookDelivery.objects.filter(pk=delivery.pk).update(state="waiting", next_attempt_at=timezone.now())
    assert deliver_due() == 0
    receiver.answer = 200
    enable_endpoint(endpoint=endpoint, by=manager)
    assert deliver_due() == 1
    assert [entry for entry in inbox_of(project) if entry.kind == "webhook"] == []


def test_a_receiver_that_is_gone_for_good_says_so(delivery, endpoint, receiver):
    receiver.answer = 410
    deliver_due()
    endpoint.refresh_from_db()
    assert (again(delivery).state, endpoint.disabled_because) == (
        DeliveryState.FAILED,
        "Its receiver answered 410 (gone).",
    )


def test_a_host_that_is_not_allowed_any_more_gets_nothing(delivery, receiver, settings):
    settings.OUTGOING_ALLOWED = ("hooks.example",)
    deliver_due()
    assert receiver.calls == []
    assert "not public" in again(delivery).log.get().problem


def test_a_killed_worker_costs_a_minute_and_no_delivery(delivery, receiver):
    lost = claim_due()
    assert lost.pk == delivery.pk
    assert claim_due() is None, "it is in a worker's hands"
    make_due(delivery)
    assert deliver_due() == 1
    stored = again(delivery)
    assert (stored.state, stored.attempts) == (DeliveryState.DELIVERED, 2)
    assert [each.problem[:19] for each in stored.log.order_by("id")] == ["The worker was lost", ""]
    # The lost one wakes up after all: its word does not count any more.
    receiver.answer = 500
    note_outcome(lost, attempt(lost))
    assert (again(delivery).state, again(delivery).log.count()) == (DeliveryState.DELIVERED, 2)


def test_one_that_cannot_be_told_stands_before_nobody(delivery, endpoint, manager, receiver, monkeypatch):
    monkeypatch.setattr(deliveries, "body_of", lambda delivery: 1 / 0)
    deliver_due()
    monkeypatch.undo()
    assert again(delivery).state == DeliveryState.FAILED
    following = send_test(endpoint=endpoint, by=manager)
    deliver_due()
    assert again(following).state == DeliveryState.DELIVERED


def test_what_was_deleted_is_not_told_of(endpoint, receiver):
    gone = WebhookDelivery.objects.create(
        endpoint=endpoint, event="campaign.opened", facts={"campaign": 10**9}, next_attempt_at=timezone.now()
    )
    deliver_due()
    assert receiver.calls == []
    assert (again(gone).state, again(gone).endpoint.failures_in_row) == (DeliveryState.FAILED, 0)


def test_the_clock_rings_where_something_is_due_and_nobody_is_at_it(endpoint, manager, monkeypatch):
    rung = []
    monkeypatch.setattr(app, "send_task", lambda name, **options: rung.append(name))
    notify_if_due()
    assert rung == []
    delivery = send_test(endpoint=endpoint, by=manager)
    notify_if_due()
    assert rung == ["evalapp.webhooks.tasks.deliver_due"]
    claim_due()
    send_test(endpoint=endpoint, by=manager)
    notify_if_due()
    assert len(rung) == 1
    make_due(delivery)
    notify_if_due()
    assert len(rung) == 2
    assert "notify-webhooks" in DUTIES


def test_a_broker_that_is_away_is_no_failure(delivery, monkeypatch):
    def away(*args, **options):
        raise OSError("away")

    monkeypatch.setattr(app, "send_task", away)
    notify_if_due()


def test_what_was_settled_a_month_ago_is_forgotten(delivery, endpoint, manager, receiver):
    deliver_due()
    waiting = send_test(endpoint=endpoint, by=manager)
    WebhookDelivery.objects.update(created_at=timezone.now() - dt.timedelta(days=31))
    remove_old_deliveries()
    assert list(WebhookDelivery.objects.all()) == [waiting]
