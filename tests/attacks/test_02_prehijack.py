"""An account that somebody else made under an email opens nothing to them once the email's owner arrives."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from evalapp.accounts.invitations import invite
from evalapp.accounts.models import Membership, Project, User
from evalapp.accounts.people import create_reset_link
from evalapp.accounts.services import add_member, create_project
from evalapp.accounts.tokens import use_api_token
from evalapp.core.errors import NotAllowedError
from tests.accounts.test_sign_on import go, provider, who  # noqa: F401 - pytest finds the fixture by name
from tests.cast import make_project, make_user

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User | None], Client]

VICTIM = "person@cast.example"
PASSWORD = "a quiet harbour 9"
OWN = "another calm bay 7"


class Hijacked(NamedTuple):
    """An account that the manager made under somebody else's email: what they hold of it."""

    user: User
    browser: Client
    token: str

    def opens(self) -> list[str]:
        """What of it lets the manager in."""
        doors = {
            "password": "_auth_user_id" in sign_in(PASSWORD).session,
            "session": self.browser.get("/profile/").status_code == 200,
            "token": use_api_token(self.token) is not None,
        }
        return [name for name, is_open in doors.items() if is_open]


def sign_in(password: str) -> Client:
    browser = Client()
    browser.post("/accounts/login/", {"login": VICTIM, "password": password})
    return browser


@pytest.fixture
def hijacked(project: Project, manager: User) -> Hijacked:
    link = invite(project=project, email=VICTIM, role="reviewer", by=manager).token
    browser = Client()
    form = {"name": "Person", "password1": PASSWORD, "password2": PASSWORD}
    assert browser.post(f"/invitations/{link}/", form).status_code == 302
    made = browser.post("/profile/tokens/", {"name": "kept", "days": "0"})
    token = re.search(r'value="(eva_[\w-]+)"', made.text)[1]  # type: ignore[index]
    account = Hijacked(User.objects.get(email=VICTIM), browser, token)
    assert account.opens() == ["password", "session", "token"]
    return account


def test_single_sign_on_takes_the_account_over(hijacked: Hijacked, provider: Any) -> None:  # noqa: F811
    person = Client()
    assert go(person).status_code == 302
    assert who(person) == str(hijacked.user.pk)
    assert person.get("/profile/").status_code == 200
    assert hijacked.opens() == []


def test_an_invitation_that_was_mailed_takes_the_account_over(
    hijacked: Hijacked, other_project: Project, stranger: User
) -> None:
    token = invite(project=other_project, email=VICTIM, role="engineer", by=stranger, is_mailed=True).token
    person = Client()
    page = person.get(f"/invitations/{token}/")
    assert "An account with this email already exists" in page.text
    form = {"name": "The Person", "password1": OWN, "password2": OWN}
    assert person.post(f"/invitations/{token}/", form).status_code == 302
    assert hijacked.opens() == []
    hijacked.user.refresh_from_db()
    assert hijacked.user.name == "The Person"
    assert "_auth_user_id" in sign_in(OWN).session
    assert other_project.memberships.filter(user=hijacked.user).exists()


@pytest.mark.parametrize("way", ["link", "typed"])
def test_the_word_of_whoever_runs_the_server_takes_the_account_over(
    way: str, hijacked: Hijacked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An owner, or the site admin, is often made for an email that was invited somewhere before."""
    if way == "link":
        call_command("create_owner", email=VICTIM, link=True, admin=True)
    else:
        monkeypatch.setattr("getpass.getpass", lambda prompt: OWN)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        call_command("create_owner", email=VICTIM, project="Headquarters")
    capsys.readouterr()
    assert hijacked.opens() == []


def test_a_mailed_password_link_takes_the_account_over(hijacked: Hijacked, settings: Any) -> None:
    settings.SENDS_MAIL = True
    # Whoever holds the account can have the mail sent, and it goes to the email's owner.
    assert hijacked.browser.post("/profile/verify/").status_code == 302
    (message,) = mail.outbox
    assert message.to == [VICTIM]
    path = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", message.body)[1]  # type: ignore[index]
    person = Client()
    form = person.get(path, follow=True).redirect_chain[-1][0]
    assert person.post(form, {"password1": OWN, "password2": OWN}).status_code == 302
    assert hijacked.opens() == []
    hijacked.user.refresh_from_db()
    assert hijacked.user.email_verified_at is not None
    assert "_auth_user_id" in sign_in(OWN).session


def test_an_account_without_a_verified_email_gets_no_second_project(
    hijacked: Hijacked, other_project: Project, stranger: User
) -> None:
    token = invite(project=other_project, email=VICTIM, role="reviewer", by=stranger).token
    refused = hijacked.browser.post(f"/invitations/{token}/")
    assert refused.status_code == 403
    assert f"The email {VICTIM} is not verified" in refused.text
    assert "create_owner --email" in refused.text
    with pytest.raises(NotAllowedError, match="not verified"):
        add_member(project=other_project, user=hijacked.user, role="reviewer", by=stranger)
    assert Membership.objects.filter(user=hijacked.user).count() == 1
    # The link waits for its person.
    User.objects.filter(pk=hijacked.user.pk).update(email_verified_at=timezone.now())
    assert hijacked.browser.post(f"/invitations/{token}/").status_code == 302


def test_nor_does_it_found_one(hijacked: Hijacked) -> None:
    Membership.objects.filter(user=hijacked.user).update(role="owner")
    with pytest.raises(NotAllowedError, match="not verified"):
        create_project(name="Second", by=hijacked.user)


def test_whoever_copied_the_link_may_add_it_where_they_could_add_anybody(
    hijacked: Hijacked, owner: User, manager: User
) -> None:
    """They gain nothing: they could invite a second account of their own as well."""
    second = make_project("Second", owner=owner, manager2=manager)
    add_member(project=second, user=hijacked.user, role="reviewer", by=owner)
    third = make_project("Third", owner=owner, manager2=manager)
    with pytest.raises(NotAllowedError, match="not verified"):
        add_member(project=third, user=hijacked.user, role="owner", by=owner)


def test_a_copied_link_that_sets_the_password_again_makes_the_email_unverified_again(
    project: Project,
    other_project: Project,
    manager: User,
    stranger: User,
    reviewer: User,
    client_for: ClientFor,
) -> None:
    path = create_reset_link(
        membership=project.memberships.select_related("user", "project").get(user=reviewer),
        by=project.memberships.select_related("user").get(user=manager),
    )
    browser = Client()
    form = browser.get(path, follow=True).redirect_chain[-1][0]
    browser.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    token = invite(project=other_project, email=reviewer.email, role="reviewer", by=stranger).token
    reviewer.refresh_from_db()
    assert client_for(reviewer).post(f"/invitations/{token}/").status_code == 403


def test_a_verified_account_keeps_password_and_tokens_when_it_is_invited_by_mail(
    project: Project, manager: User
) -> None:
    person = make_user("person")
    person.set_password(PASSWORD)
    person.save()
    token = invite(project=project, email=person.email, role="reviewer", by=manager, is_mailed=True).token
    assert Client().get(f"/invitations/{token}/").status_code == 302
    browser = sign_in(PASSWORD)
    assert browser.post(f"/invitations/{token}/").status_code == 302
    person.refresh_from_db()
    assert person.check_password(PASSWORD)
    assert project.memberships.filter(user=person).exists()
