import json

import pytest

from evalapp.webhooks.deliveries import deliver_due
from evalapp.webhooks.models import WebhookEndpoint
from evalapp.webhooks.services import send_test
from evalapp.webhooks.signing import secret_of
from tests.api.conftest import problem_in, program_of

pytestmark = pytest.mark.django_db


def test_a_program_registers_changes_and_deletes(project, manager, receiver):
    program = program_of(manager)
    path = f"projects/{project.slug}/webhooks/"
    made = program.post(path, {"url": receiver.url, "events": ["item.completed"]})
    assert made.status_code == 201, made.content
    endpoint = WebhookEndpoint.objects.get()
    assert made.json()["secret"] == secret_of(endpoint)
    assert made.json()["webhook"]["events"] == ["item.completed"]
    assert "secret" not in json.dumps(program.get(path).json())
    own = f"{path}{endpoint.pk}/"
    same = program.patch(own, {"events": ["campaign.closed"]})
    assert (same.json()["secret"], same.json()["webhook"]["events"]) == ("", ["campaign.closed"])
    moved = program.patch(own, {"url": f"{receiver.url}/b"})
    assert moved.json()["webhook"]["events"] == ["campaign.closed"]
    assert moved.json()["secret"].startswith("whsec_")
    assert program.post(f"{own}secret/").json()["secret"] != moved.json()["secret"]
    assert program.post(f"{own}disable/").json()["disabled_because"] == f"Switched off by {manager}."
    assert program.post(f"{own}enable/").json()["disabled_at"] is None
    assert program.ask("DELETE", own).status_code == 204
    assert problem_in(program.get(own), 404)


def test_a_program_sees_every_attempt_and_sends_once_more(project, manager, endpoint, receiver):
    delivery = send_test(endpoint=endpoint, by=manager)
    receiver.answer = 500
    deliver_due()
    program = program_of(manager)
    path = f"projects/{project.slug}/webhooks/{endpoint.pk}/deliveries/"
    [row] = program.get(f"{path}?state=waiting").json()["results"]
    assert (row["key"], row["attempts"], [each["status"] for each in row["log"]]) == (
        str(delivery.key),
        1,
        [500],
    )
    assert program.get(f"{path}?state=failed").json()["results"] == []
    receiver.answer = 200
    assert program.post(f"{path}{delivery.pk}/redeliver/").status_code == 200
    deliver_due()
    assert program.get(path).json()["results"][0]["state"] == "delivered"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": 5}, "url"),
        ({"events": ["nothing"]}, "events"),
        ({"events": []}, "events"),
        ({"secret": "mine"}, "secret"),
        ({"includes_text": "yes"}, "includes_text"),
    ],
)
def test_bad_input_names_its_field(project, manager, receiver, change, field):
    body = {"url": receiver.url, "events": ["item.completed"], **change}
    refused = program_of(manager).post(f"projects/{project.slug}/webhooks/", body)
    assert any(name.startswith(field) for name in problem_in(refused, 400)["fields"])
