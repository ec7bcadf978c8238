"""Who came in, who did not, from where and with what, stands in the audit."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evalapp.accounts.emergency import emergency_path
from evalapp.accounts.invitations import invite
from evalapp.accounts.models import OneTimeLink, Project, User
from evalapp.accounts.people import password_path
from evalapp.accounts.tokens import create_api_token, revoke_all_api_tokens
from evalapp.api.throttling import MOST_WRONG_TOKENS
from evalapp.audit.models import AuditEvent
from tests.accounts.test_sign_on import go, provider  # noqa: F401 - pytest finds the fixture by name

pytestmark = pytest.mark.django_db

PASSWORD = "a quiet harbour 9"
PLACE, AGENT = "192.0.2.1", "Harbour/9 (test)"
CLIENT = {"address": PLACE, "agent": AGENT}


@pytest.fixture
def person(db: None) -> User:
    return User.objects.create_user(
        "person@cast.example", PASSWORD, name="Person", email_verified_at=timezone.now()
    )


def browser(place: str = PLACE, agent: str = AGENT) -> Client:
    return Client(headers={"User-Agent": agent}, REMOTE_ADDR=place)


def attempt(client: Client, email: str, password: str) -> int:
    return int(client.post("/accounts/login/", {"login": email, "password": password}).status_code)


def events(action: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("id"))


def test_a_sign_in_is_noted_with_address_and_agent(person: User) -> None:
    assert attempt(browser(), "PERSON@cast.example", PASSWORD) == 302
    (event,) = events("person.signed_in")
    assert (event.actor_id, event.actor_label, event.object_id) == (person.pk, "Person", person.pk)
    assert event.data == {"way": "password", **CLIENT}


def test_the_other_ways_in_are_noted_too(
    person: User,
    project: Project,
    owner: User,
    provider: Any,  # noqa: F811
) -> None:
    assert go(browser()).status_code == 302
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    person.refresh_from_db()
    assert browser().post(emergency_path(person)).status_code == 302
    token = invite(project=project, email="new@cast.example", role="reviewer", by=owner).token
    form = {"name": "New", "password1": PASSWORD, "password2": PASSWORD}
    assert browser().post(f"/invitations/{token}/", form).status_code == 302
    assert [event.data for event in events("person.signed_in")] == [
        {"way": way, **CLIENT} for way in ("single sign-on", "emergency link", "invitation")
    ]


def test_a_failure_is_noted_with_the_email_and_never_with_what_was_typed(person: User) -> None:
    assert attempt(browser(), person.email, "wrong secret") == 200
    assert attempt(browser(), "nobody@cast.example", "wrong secret") == 200
    assert attempt(browser(), "hunter2-in-the-wrong-field", "wrong secret") == 200
    known, unknown = events("person.sign_in_failed")
    assert (known.actor_label, known.object_id, known.object_label) == ("system", person.pk, "Person")
    assert known.data == CLIENT
    assert (unknown.object_id, unknown.data) == (None, {"email": "nobody@cast.example", **CLIENT})
    whole = str(list(AuditEvent.objects.values()))
    assert "wrong secret" not in whole and "hunter2" not in whole


def test_a_lock_out_is_noted_once_and_its_attempts_do_not_fill_the_audit(person: User) -> None:
    statuses = [attempt(browser(), person.email, "wrong") for _ in range(12)]
    assert statuses[-5:] == [429] * 5
    (locked,) = events("person.locked_out")
    assert (locked.object_id, locked.data) == (person.pk, CLIENT)
    assert len(events("person.sign_in_failed")) == 7


def test_a_token_is_noted_once_for_each_client_and_day(person: User) -> None:
    made = create_api_token(user=person, name="nightly import", by=person)
    header = {"Authorization": f"Bearer {made.secret}"}
    for place in (PLACE, PLACE, "192.0.2.2", PLACE):
        answer = browser(place).get("/api/v1/me/", headers=header)
        assert answer.status_code == 200
    first, second = events("api_token.used")
    assert (first.actor_id, first.object_label) == (person.pk, str(made.token))
    assert (first.data, second.data["address"]) == (CLIENT, "192.0.2.2")
    assert made.secret not in str(list(AuditEvent.objects.values()))


def test_tokens_that_open_nothing_are_noted_at_the_first_and_at_the_lock(person: User) -> None:
    made = create_api_token(user=person, name="old", by=person)
    revoke_all_api_tokens(user=person, by=person)
    header = {"Authorization": f"Bearer {made.secret}"}
    for _ in range(MOST_WRONG_TOKENS + 5):
        browser().get("/api/v1/me/", headers=header)
    assert [event.data for event in events("api_token.refused")] == [CLIENT]
    assert [event.data for event in events("api_token.locked_out")] == [CLIENT]


def test_the_site_admin_reads_them_and_members_do_not(
    person: User, owner: User, project: Project, client_for: Any
) -> None:
    attempt(browser(agent="<script>alert(1)</script>"), person.email, PASSWORD)
    owner.is_superuser = True
    owner.save()
    page = client_for(owner).get("/audit/?action=person.").text
    assert PLACE in page and "&lt;script&gt;alert(1)" in page
    assert PLACE not in client_for(owner).get(f"/projects/{project.slug}/settings/audit/").text


def test_an_agent_of_any_length_and_character_is_kept_readable(person: User) -> None:
    attempt(browser(agent="Harbour\x07\x85" + "9" * 5000), person.email, PASSWORD)
    agent = events("person.signed_in")[0].data["agent"]
    assert len(agent) == 200 and agent.isprintable()


def test_a_sign_in_voids_the_links_that_set_the_password(person: User) -> None:
    path = password_path(person, by=None)
    attempt(browser(), person.email, PASSWORD)
    assert re.search("This link is no longer valid", Client().get(path, follow=True).text)
    assert OneTimeLink.objects.get().revoked_at is not None
