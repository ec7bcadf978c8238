"""A token for an application: it feeds one stream and opens nothing else."""

import re
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from evalapp.accounts.models import ApiToken, Membership, Project, Role, User
from evalapp.accounts.tokens import create_api_token
from evalapp.monitoring.models import Stream
from tests.api.conftest import Program, problem_in
from tests.cast import client_of
from tests.monitoring.making import make_stream, rows_of
from tests.monitoring.spans import Instrumented, answer

pytestmark = pytest.mark.django_db

PROTOBUF = "application/x-protobuf"


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer])


@pytest.fixture
def application(stream: Stream, engineer: User) -> Program:
    made = create_api_token(user=engineer, name="Assistant", by=engineer, scope=f"stream/{stream.pk}")
    return Program(made.secret)


def addresses_of(stream: Stream) -> str:
    return f"projects/{stream.project.slug}/streams/{stream.pk}/"


def test_it_sends_events_assessments_and_spans(application: Program, stream: Stream) -> None:
    (row,) = rows_of(1, timezone.now())
    assert application.post(f"{addresses_of(stream)}events/", {"events": [row]}).status_code == 201
    assessment = {"event": row["id"], "name": "thumb", "value": True}
    told = application.post(f"{addresses_of(stream)}assessments/", {"assessments": [assessment]})
    assert told.json()["stored"] == 1
    app = Instrumented()
    app.call([{"role": "user", "parts": [{"type": "text", "content": "Is hail covered?"}]}], [answer("Yes.")])
    # The token tells the stream, so an exporter needs no header for it.
    sent = application.ask("POST", "otlp/v1/traces", app.request().SerializeToString(), content_type=PROTOBUF)
    assert sent.status_code == 200
    assert sorted(stream.events.values_list("text", flat=True)) == sorted([row["output"], "Yes."])


def test_it_opens_nothing_else(
    application: Program, stream: Stream, project: Project, reviewer: User
) -> None:
    other = make_stream(project, [reviewer], name="Other")
    rows = rows_of(1, timezone.now())
    for asked in (
        application.get("me/"),
        application.get(f"projects/{project.slug}/datasets/"),
        application.get(addresses_of(stream)),
        application.post(f"{addresses_of(stream)}draw/"),
        application.post(f"{addresses_of(other)}events/", {"events": rows}),
        application.post(f"{addresses_of(other)}assessments/", {"assessments": [{}]}),
        application.ask(
            "POST",
            "otlp/v1/traces",
            "{}",
            headers={"evalapp-stream": f"{project.slug}/{other.pk}"},
        ),
    ):
        assert asked.status_code == 403
        assert f"for stream/{stream.pk} only" in asked.json()["error"]["message"]
    assert not other.events.exists() and not stream.events.exists()


def test_it_ends_with_the_role_of_its_person(application: Program, stream: Stream, engineer: User) -> None:
    rows = rows_of(1, timezone.now())
    Membership.objects.filter(user=engineer, project=stream.project).update(role=Role.REVIEWER)
    problem_in(application.post(f"{addresses_of(stream)}events/", {"events": rows}), 403)
    assert application.ask("POST", "otlp/v1/traces", "{}").status_code == 403


def test_it_is_made_on_the_page_for_events(stream: Stream, engineer: User) -> None:
    client = client_of(engineer)
    address = reverse("stream_token_new", args=[stream.project.slug, stream.pk])
    page = client.post(address, {"name": "Claims assistant"})
    assert page.status_code == 201 and "no-store" in page["Cache-Control"]
    (secret,) = re.findall(r'value="(eva_[^"]+)"', page.text)
    sent = Program(secret).post(f"{addresses_of(stream)}events/", {"events": rows_of(1, timezone.now())})
    assert sent.status_code == 201
    again = client.get(reverse("stream_import", args=[stream.project.slug, stream.pk])).text
    assert "Claims assistant" in again and secret not in again
    assert f"for stream/{stream.pk} only" in client.get(reverse("token_list")).text

    refused: Any = client.post(address, {"name": " "})
    assert refused.status_code == 400 and ApiToken.objects.count() == 1
