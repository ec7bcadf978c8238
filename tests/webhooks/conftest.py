from collections.abc import Iterator

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.webhooks.models import WebhookEndpoint, WebhookEvent
from evalapp.webhooks.services import register_endpoint
from tests.receiver import Receiver, receiving

SITE = "https://evalapp.example"


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings) -> None:
    settings.OUTGOING_ALLOWED = ("127.0.0.0/8",)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def endpoint(project: Project, manager: User, receiver: Receiver) -> WebhookEndpoint:
    return register(project, manager, receiver.url)


def register(project: Project, by: User, URL: str, *, events=None, includes_text=False) -> WebhookEndpoint:
    chosen = WebhookEvent.values if events is None else events
    return register_endpoint(
        project=project, url=URL, events=chosen, includes_text=includes_text, site=SITE, by=by
    ).endpoint


def post(client: Client, path: str, data: object = None):
    return client.post(path, data or {})
