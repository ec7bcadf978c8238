"""People are invited by a list as it is copied from elsewhere: all of it, or none with what is wrong in each
line.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from evalapp.accounts.models import Invitation, Project, User
from evalapp.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User | None], Client]

CHOSEN = {"name": "New", "password1": "a quiet harbour 9", "password2": "a quiet harbour 9"}


def invite(client: Client, project: Project, emails: str, **more: str) -> Any:
    form = {"emails": emails, "role": "reviewer", **more}
    return client.post(f"/projects/{project.slug}/settings/members/", form)


def links_in(page: Any) -> dict[str, str]:
    found = re.findall(
        r'value="http://testserver(/invitations/[^"]+)" aria-label="Invitation link of ([^"]+)"', page.text
    )
    return {email: path for path, email in found}


def test_a_pasted_list_gives_each_person_a_link_of_their_own(
    client_for: ClientFor, manager: User, project: Project
) -> None:
    pasted = (
        "one@example.org\r\n\r\n  Two Person <Two@Example.org>, three@example.org; four@example.org\r\n"
        "Five Person <five@example.org>\r\none@example.org\r\n"
    )
    page = invite(client_for(manager), project, pasted)
    assert page.status_code == 201
    links = links_in(page)
    assert list(links) == [f"{name}@example.org" for name in ("one", "two", "three", "four", "five")]
    for email, path in links.items():
        assert Client().post(path, CHOSEN).status_code == 302
        assert project.memberships.filter(user__email=email, role="reviewer").exists()


def test_each_line_that_cannot_be_invited_is_named_and_nobody_is(
    client_for: ClientFor, manager: User, reviewer: User, project: Project
) -> None:
    pasted = f"good@example.org\nno email\n{reviewer.email}\ngood2@example.org, ıvan@example.org"
    page = invite(client_for(manager), project, pasted)
    assert page.status_code == 400
    for told in (
        "Nobody has been invited yet.",
        "Line 2: “no email” is not an email.",
        f"Line 3: {reviewer.email} is already a member of this project",
        "Line 4: Character 1 of the email is “ı”",
    ):
        assert told in page.text
    # What was pasted is there to be fixed.
    assert "good2@example.org, ıvan@example.org</textarea>" in page.text
    assert not Invitation.objects.exists()
    assert not AuditEvent.objects.filter(action="invitation.created").exists()


@pytest.mark.parametrize(
    ("pasted", "told"),
    [
        (" \n ,; ", "Give at least one email."),
        ("\n".join(f"p{n}@example.org" for n in range(201)), "These are 201 emails; at most 200"),
    ],
)
def test_no_email_and_too_many_are_refused(
    pasted: str, told: str, client_for: ClientFor, manager: User, project: Project
) -> None:
    page = invite(client_for(manager), project, pasted)
    assert page.status_code == 400
    assert told in page.text or "This field is required" in page.text
    assert not Invitation.objects.exists()


def test_links_go_by_mail_to_their_person_alone(
    client_for: ClientFor, manager: User, project: Project, settings: Any
) -> None:
    settings.SENDS_MAIL = True
    page = invite(client_for(manager), project, "one@example.org\ntwo@example.org", is_mailed="on")
    assert page.status_code == 201
    assert "/invitations/" not in page.text.partition("Open invitations")[0]
    assert [message.to for message in mail.outbox] == [["one@example.org"], ["two@example.org"]]
    path = re.search(r"http://testserver(/invitations/\S+)", mail.outbox[0].body)[1]  # type: ignore[index]
    assert Client().post(path, CHOSEN).status_code == 302
    assert User.objects.get(email="one@example.org").email_verified_at is not None


def test_links_are_shown_where_nobody_wants_mail(
    client_for: ClientFor, manager: User, project: Project, settings: Any
) -> None:
    settings.SENDS_MAIL = True
    page = invite(client_for(manager), project, "one@example.org")
    assert list(links_in(page)) == ["one@example.org"]
    assert mail.outbox == []
    assert Client().post(links_in(page)["one@example.org"], CHOSEN).status_code == 302
    assert User.objects.get(email="one@example.org").email_verified_at is None


def test_nobody_claims_a_mail_where_none_can_be_sent(
    client_for: ClientFor, manager: User, project: Project
) -> None:
    """Without a mail server there is no such choice, whatever a request holds."""
    page = invite(client_for(manager), project, "one@example.org", is_mailed="on")
    assert list(links_in(page)) == ["one@example.org"]
    assert not Invitation.objects.get().is_mailed


def test_what_cannot_be_sent_is_withdrawn_and_said(
    client_for: ClientFor, manager: User, project: Project, settings: Any
) -> None:
    settings.SENDS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    # Nobody listens there.
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    page = invite(client_for(manager), project, "one@example.org\ntwo@example.org", is_mailed="on")
    assert page.status_code == 201
    assert page.text.count("not sent</strong>, and withdrawn: the mail server cannot be reached") == 2
    assert not Invitation.objects.filter(revoked_at=None).exists()
