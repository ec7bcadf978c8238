import re

import pytest
from django.db import IntegrityError, transaction

from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.webhooks.deliveries import claim_due, deliver_due
from evalapp.webhooks.models import WebhookDelivery, WebhookEndpoint
from evalapp.webhooks.services import (
    MOST_ENDPOINTS,
    disable_endpoint,
    enable_endpoint,
    redeliver,
    renew_secret,
    send_test,
)
from evalapp.webhooks.signing import secret_of
from tests.webhooks.conftest import register

pytestmark = pytest.mark.django_db


def body(URL, events=("campaign.completed",), **more):
    return {"url": URL, "events": list(events), **more}


def test_an_endpoint_is_registered_and_its_secret_shown_once(project, manager, receiver, client_for):
    browser = client_for(manager)
    path = f"/projects/{project.slug}/settings/webhooks/"
    page = browser.post(path, body(receiver.url, includes_text="on"))
    assert page.status_code == 201
    endpoint = WebhookEndpoint.objects.get()
    assert secret_of(endpoint) in page.text
    assert (endpoint.events, endpoint.includes_text, endpoint.site) == (
        ["campaign.completed"],
        True,
        "http://testserver",
    )
    for each in (path, f"{path}{endpoint.pk}/"):
        assert secret_of(endpoint) not in browser.get(each).text
    event = AuditEvent.objects.get(action="webhook.registered")
    assert event.data["url"] == receiver.url.removesuffix("/hook")
    assert "/hook" not in event.object_label


def test_the_database_alone_does_not_hold_the_secret(endpoint, settings):
    secret = secret_of(endpoint)
    row = WebhookEndpoint.objects.filter(pk=endpoint.pk).values().get()
    assert secret not in str(row)
    assert secret.removeprefix("whsec_") not in str(row)
    settings.SECRET_KEY = "another key of at least thirty-two characters"
    assert secret_of(endpoint) != secret


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "ftp://hooks.example/"}, "begins with https:// or http://"),
        ({"url": "http://10.0.0.1/"}, "is not public"),
        ({"url": ""}, "This field is required"),
        ({"events": []}, "Choose at least one event"),
        ({"events": ["review.read"]}, "review.read"),
    ],
)
def test_bad_input_is_refused_beside_its_field(project, manager, receiver, client_for, change, said):
    page = client_for(manager).post(
        f"/projects/{project.slug}/settings/webhooks/", {**body(receiver.url), **change}
    )
    assert page.status_code == 400
    assert said in page.text
    assert not WebhookEndpoint.objects.exists()


def test_an_installation_that_sends_nothing_says_so(project, manager, client_for, settings):
    settings.OUTGOING_ALLOWED = ()
    browser = client_for(manager)
    path = f"/projects/{project.slug}/settings/webhooks/"
    assert "may not call other machines yet" in browser.get(path).text
    refused = browser.post(path, body("https://hooks.example/"))
    assert refused.status_code == 400
    assert "EVALAPP_OUTGOING_ALLOWED" in refused.text


def test_another_address_gets_another_secret(project, manager, endpoint, client_for):
    browser = client_for(manager)
    path = f"/projects/{project.slug}/settings/webhooks/{endpoint.pk}/"
    old = secret_of(endpoint)
    assert browser.post(path, body(endpoint.url)).status_code == 302
    endpoint.refresh_from_db()
    assert (secret_of(endpoint), endpoint.events) == (old, ["campaign.completed"])
    moved = browser.post(path, body(f"{endpoint.url}/elsewhere"))
    endpoint.refresh_from_db()
    assert secret_of(endpoint) != old
    assert secret_of(endpoint) in moved.text
    assert old not in moved.text


def test_a_new_secret_voids_the_old_one(project, manager, endpoint, receiver, client_for):
    old = secret_of(endpoint)
    page = client_for(manager).post(f"/projects/{project.slug}/settings/webhooks/{endpoint.pk}/secret/")
    endpoint.refresh_from_db()
    assert page.status_code == 201
    assert secret_of(endpoint) in page.text
    assert old != secret_of(endpoint)


def test_the_same_address_twice_and_too_many_are_refused(project, manager, endpoint, receiver):
    with pytest.raises(ConflictError, match="at this URL already"):
        register(project, manager, receiver.url)
    for number in range(MOST_ENDPOINTS - 1):
        register(project, manager, f"{receiver.url}/{number}")
    with pytest.raises(ConflictError, match="20 webhooks"):
        register(project, manager, f"{receiver.url}/more")


def test_the_database_refuses_an_event_that_there_is_not(endpoint):
    with pytest.raises(IntegrityError), transaction.atomic():
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(events=["review.read"])
    with pytest.raises(IntegrityError), transaction.atomic():
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(events=[])


def test_off_and_on_and_what_is_refused_meanwhile(endpoint, manager):
    disable_endpoint(endpoint=endpoint, by=manager)
    endpoint.refresh_from_db()
    assert endpoint.disabled_because == f"Switched off by {manager}."
    with pytest.raises(ConflictError):
        disable_endpoint(endpoint=endpoint, by=manager)
    with pytest.raises(ConflictError):
        send_test(endpoint=endpoint, by=manager)
    enable_endpoint(endpoint=endpoint, by=manager)
    with pytest.raises(ConflictError):
        enable_endpoint(endpoint=endpoint, by=manager)


def test_a_delivery_in_a_workers_hands_is_not_sent_twice(endpoint, manager):
    delivery = send_test(endpoint=endpoint, by=manager)
    claim_due()
    with pytest.raises(ConflictError, match="being sent"):
        redeliver(delivery=delivery, by=manager)


def test_a_deleted_endpoint_takes_its_deliveries_along(project, manager, endpoint, client_for):
    delivery = send_test(endpoint=endpoint, by=manager)
    deliver_due()
    browser = client_for(manager)
    browser.post(f"/projects/{project.slug}/settings/webhooks/{endpoint.pk}/delete/")
    assert not WebhookEndpoint.objects.exists()
    assert not WebhookDelivery.objects.filter(pk=delivery.pk).exists()
    with pytest.raises(ConflictError, match="deleted"):
        renew_secret(endpoint=endpoint, by=manager)


def test_a_test_and_its_answer_are_seen(project, manager, endpoint, receiver, client_for):
    receiver.body = b"<script>alert(1)</script>"
    browser = client_for(manager)
    path = f"/projects/{project.slug}/settings/webhooks/{endpoint.pk}/"
    page = browser.post(f"{path}test/", follow=True)
    assert "Not sent yet" in page.text
    deliver_due()
    seen = browser.get(page.redirect_chain[-1][0]).text
    assert "&lt;script&gt;" in seen
    assert "<script>alert" not in seen
    assert "Delivered" in browser.get(path).text
    assert browser.post(f"{page.redirect_chain[-1][0]}redeliver/").status_code == 302


def test_an_engineer_sees_where_it_goes_and_no_path_that_may_hold_a_secret(
    project, engineer, endpoint, client_for
):
    browser = client_for(engineer)
    for path in ("", f"{endpoint.pk}/"):
        text = browser.get(f"/projects/{project.slug}/settings/webhooks/{path}").text
        assert endpoint.url.removesuffix("/hook") in text
        assert endpoint.url not in text
        assert "Delete…" not in text


def test_the_lists_ask_the_same_for_one_row_and_for_three(
    project, manager, endpoint, receiver, client_for, django_assert_num_queries
):
    browser = client_for(manager)
    path = f"/projects/{project.slug}/settings/webhooks/"
    send_test(endpoint=endpoint, by=manager)
    deliver_due()

    def count(URL: str) -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as asked:
            assert browser.get(URL).status_code == 200
        return len(asked)

    one = count(path), count(f"{path}{endpoint.pk}/")
    for number in range(2):
        register(project, manager, f"{receiver.url}/{number}")
        send_test(endpoint=endpoint, by=manager)
    deliver_due()
    assert (count(path), count(f"{path}{endpoint.pk}/")) == one


def test_a_filter_that_finds_nothing_says_so(project, manager, endpoint, client_for):
    page = client_for(manager).get(f"/projects/{project.slug}/settings/webhooks/{endpoint.pk}/?state=failed")
    assert "No deliveries in this state." in page.text


def test_the_services_refuse_unknown_events_by_name(project, manager, receiver):
    with pytest.raises(InvalidError, match=re.escape("review.read")):
        register(project, manager, receiver.url, events=["review.read"])
