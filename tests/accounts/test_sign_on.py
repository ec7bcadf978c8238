"""Single sign-on against a real provider on loopback: who comes in, and whom nothing lets in."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from evalapp.accounts.emergency import emergency_path
from evalapp.accounts.invitations import invite
from evalapp.accounts.models import Membership, User
from evalapp.accounts.people import anonymise_person, password_path
from evalapp.audit.models import AuditEvent
from evalapp.env_sign_on import SignOnSettings
from tests.accounts.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, providing

PASSWORD = "a quiet harbour 9"
pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    with providing() as running:
        settings.SIGN_ON = SignOnSettings(
            issuer=running.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, name="House ID"
        )
        settings.OUTGOING_ALLOWED = ("127.0.0.0/8",)
        yield running


@pytest.fixture
def person(db: None) -> User:
    return User.objects.create_user(
        "person@cast.example", PASSWORD, name="Person", email_verified_at=timezone.now()
    )


def go(client: Client, address: str = "/accounts/oidc/") -> Any:
    """Through the provider and back, as a browser would."""
    away = client.get(address)
    assert away.status_code == 302, away.text
    back = requests.get(away["Location"], allow_redirects=False, timeout=5).headers["Location"]
    parts = urlsplit(back)
    return client.get(f"{parts.path}?{parts.query}")


def who(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


def test_a_known_person_comes_in_by_their_verified_address(provider: Provider, person: User) -> None:
    client = Client()
    page = client.get("/accounts/login/?next=/profile/")
    assert "Sign in with House ID" in page.text
    link = re.search(r'href="(/accounts/oidc/[^"]*)"', page.text)[1]
    answer = go(client, link)
    assert (answer.status_code, answer["Location"]) == (302, "/profile/")
    assert who(client) == str(person.pk)
    linked = SocialAccount.objects.get()
    assert (linked.user, linked.extra_data, SocialToken.objects.count()) == (person, {}, 0)
    assert AuditEvent.objects.get(action="person.identity_linked").data == {"issuer": provider.issuer}
    # The password that they had stays theirs.
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


def test_the_request_has_state_nonce_and_pkce(provider: Provider) -> None:
    asked = parse_qs(
        urlsplit(Client().get("/accounts/oidc/?scope=admin&auth_params=prompt%3Dnone")["Location"]).query
    )
    assert {"state", "nonce", "code_challenge"} <= set(asked)
    assert asked["code_challenge_method"] == ["S256"]
    assert set(asked["scope"][0].split()) == {"openid", "profile", "email"}
    assert "prompt" not in asked


def test_once_linked_the_identity_counts_and_not_the_address(provider: Provider, person: User) -> None:
    go(Client())
    provider.person |= {"email": "new.name@cast.example", "email_verified": False}
    client = Client()
    go(client)
    assert who(client) == str(person.pk)


def test_an_address_in_any_case_is_the_same(provider: Provider, person: User) -> None:
    provider.person["email"] = "PERSON@Cast.Example"
    client = Client()
    go(client)
    assert who(client) == str(person.pk)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"email_verified": False}, "has not verified your email"),
        ({"email_verified": None}, "has not verified your email"),
        ({"email_verified": "false"}, "has not verified your email"),
        ({"email_verified": 1.5}, "has not verified your email"),
        ({"email": "other@cast.example"}, "Accounts are created by invitation"),
        ({"email": "pеrson@cast.example"}, "looks like another letter"),
        ({"email": None}, "does not share your email"),
        ({"email": ["person@cast.example"]}, "does not share your email"),
    ],
)
def test_nobody_else_comes_in(change: dict[str, Any], said: str, provider: Provider, person: User) -> None:
    provider.lies = change
    if "email" in change and change["email"] is None:
        provider.userinfo = {"sub": "subject-1"}
    client = Client()
    answer = go(client)
    assert answer.status_code == 403
    assert said in answer.text
    assert (who(client), User.objects.count(), SocialAccount.objects.count()) == (None, 1, 0)


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "http://elsewhere.example"},
        {"aud": "another-client"},
        {"aud": ["evalapp", "another-client"]},
        {"azp": "another-client"},
        {"exp": 1},
        {"exp": None},
        {"sub": ""},
        {"sub": None},
    ],
)
def test_a_token_of_another_sign_in_client_issuer_or_time_is_refused(
    lies: dict[str, Any], provider: Provider, person: User
) -> None:
    provider.lies = lies
    client = Client()
    answer = go(client)
    assert answer.status_code == 401, answer.text
    assert "Not signed in" in answer.text
    assert (who(client), SocialAccount.objects.count()) == (None, 0)


@pytest.mark.parametrize("forgery", ["key", "none", "hmac"])
def test_a_forged_signature_is_refused(forgery: str, provider: Provider, person: User) -> None:
    if forgery == "key":
        provider.signs_with = provider.other_key
    elif forgery == "none":
        provider.algorithm = "none"
    else:
        provider.algorithm, provider.signs_with = "HS256", "x" * 64
    client = Client()
    assert go(client).status_code == 401
    assert who(client) is None


@pytest.mark.parametrize("answer", [b"not JSON", b"[]", b'{"access_token": 5}', b"\xff\xfe", b"{}"])
def test_whatever_the_provider_answers_is_no_failure_of_ours(
    answer: bytes, provider: Provider, person: User
) -> None:
    provider.token_answer = answer
    assert go(Client()).status_code in (401, 502)


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": "http://elsewhere.example"},
        {"issuer": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_configuration_that_is_not_the_issuers_is_refused(
    configuration: dict[str, Any], provider: Provider
) -> None:
    provider.configuration = configuration
    answer = Client().get("/accounts/oidc/")
    assert answer.status_code == 502
    assert "House ID cannot be reached" in answer.text


def test_the_providers_addresses_go_through_the_guard(provider: Provider, settings: Any) -> None:
    settings.OUTGOING_ALLOWED = ()
    assert Client().get("/accounts/oidc/").status_code == 502
    assert provider.asked == []


def test_the_key_set_is_asked_through_the_guard_too(provider: Provider, person: User) -> None:
    provider.configuration = {"jwks_uri": "http://169.254.169.254/keys"}
    client = Client()
    assert go(client).status_code == 401
    assert who(client) is None


def test_userinfo_of_another_person_is_refused(provider: Provider, person: User) -> None:
    provider.lies = {"email": None}
    provider.userinfo = {"sub": "subject-2", "email": person.email, "email_verified": True}
    client = Client()
    assert go(client).status_code == 401
    provider.userinfo["sub"] = "subject-1"
    go(client)
    assert who(client) == str(person.pk)


def test_a_callback_that_nobody_asked_for_signs_nobody_in(provider: Provider, person: User) -> None:
    stolen = requests.get(
        Client().get("/accounts/oidc/")["Location"], allow_redirects=False, timeout=5
    ).headers["Location"]
    victim = Client()
    parts = urlsplit(stolen)
    asked = len(provider.asked)
    assert victim.get(f"{parts.path}?{parts.query}").status_code == 401
    assert who(victim) is None
    for query in ("", "?code=x", "?state=x", "?error=access_denied&state=x"):
        assert victim.get(f"/accounts/oidc/callback/{query}").status_code == 401
    assert len(provider.asked) == asked


def test_who_turns_back_at_the_provider_comes_to_the_sign_in_page(provider: Provider) -> None:
    client = Client()
    state = parse_qs(urlsplit(client.get("/accounts/oidc/")["Location"]).query)["state"][0]
    answer = client.get(f"/accounts/oidc/callback/?error=access_denied&state={state}")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")


def test_another_site_cannot_begin_a_sign_in(provider: Provider) -> None:
    answer = Client().get("/accounts/oidc/", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer["Location"] == "/accounts/login/"
    assert provider.asked == []


def test_a_closed_account_stays_closed(provider: Provider, person: User) -> None:
    go(Client())
    User.objects.filter(pk=person.pk).update(is_active=False)
    client = Client()
    answer = go(client)
    assert (answer.status_code, who(client)) == (403, None)
    assert "This account is closed" in answer.text


def test_a_simulated_reviewer_has_no_door_here_either(provider: Provider) -> None:
    User.objects.create_user("person@cast.example", name="Sim", is_simulated=True)
    client = Client()
    assert go(client).status_code == 403
    assert who(client) is None


def test_an_address_given_to_somebody_new_does_not_open_the_formers_account(
    provider: Provider, person: User
) -> None:
    go(Client())
    provider.person["sub"] = "subject-2"
    client = Client()
    answer = go(client)
    assert (answer.status_code, who(client)) == (403, None)
    assert "is linked to another identity" in answer.text


def test_an_identity_is_unlinked_where_a_password_remains(provider: Provider, person: User) -> None:
    client = Client()
    go(client)
    assert "This account is linked to an identity of House ID." in client.get("/profile/").text
    assert client.post("/profile/unlink/").status_code == 302
    assert not SocialAccount.objects.exists()
    go(client)
    person.set_unusable_password()
    person.save()
    client.force_login(person, backend="evalapp.accounts.backends.AccountBackend")
    assert client.post("/profile/unlink/").status_code == 400
    assert SocialAccount.objects.exists()


def test_the_same_subject_of_another_issuer_is_another_person(
    provider: Provider, person: User, settings: Any
) -> None:
    go(Client())
    with providing() as other:
        other.person |= {"email": "x@cast.example"}
        settings.SIGN_ON = SignOnSettings(
            issuer=other.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, name="Other"
        )
        client = Client()
        assert go(client).status_code == 403
        assert who(client) is None


def test_an_invited_person_gets_an_account_and_every_project_that_invited_them(
    provider: Provider, project: Any, other_project: Any, owner: User, stranger: User
) -> None:
    invite(project=project, email="person@cast.example", role="reviewer", by=owner)
    invite(project=other_project, email="person@cast.example", role="engineer", by=stranger)
    client = Client()
    assert go(client)["Location"] == "/"
    made = User.objects.get(email="person@cast.example")
    assert (who(client), made.name, made.has_usable_password()) == (str(made.pk), "Person One", False)
    roles = dict(Membership.objects.filter(user=made).values_list("project__slug", "role"))
    assert roles == {project.slug: "reviewer", other_project.slug: "engineer"}


def test_an_invitation_that_expired_lets_nobody_in(provider: Provider, project: Any, owner: User) -> None:
    made = invite(project=project, email="person@cast.example", role="reviewer", by=owner).invitation
    made.expires_at = timezone.now() - dt.timedelta(hours=1)
    made.save()
    assert go(Client()).status_code == 403
    assert not User.objects.filter(email="person@cast.example").exists()


@pytest.mark.parametrize(
    ("email", "comes_in"),
    [("new@cast.example", True), ("new@sub.cast.example", False), ("new@badcast.example", False)],
)
def test_an_open_domain_lets_its_people_in_to_no_project(
    email: str, comes_in: bool, provider: Provider, settings: Any
) -> None:
    settings.SIGN_ON = SignOnSettings(**{**vars(settings.SIGN_ON), "signup_domains": ("cast.example",)})
    provider.person["email"] = email
    client = Client()
    go(client)
    assert (who(client) is not None) is comes_in
    assert not Membership.objects.filter(user__email=email).exists()


def test_without_a_provider_there_is_no_such_door(db: None) -> None:
    for path in ("/accounts/oidc/", "/accounts/oidc/callback/?code=1&state=1"):
        assert Client().get(path).status_code == 404
    assert "/accounts/oidc/" not in Client().get("/accounts/login/").text


def test_a_deleted_persons_identity_goes_with_their_data(provider: Provider, person: User) -> None:
    go(Client())
    anonymise_person(user=person, by=person)
    assert not SocialAccount.objects.exists()
    assert go(Client()).status_code == 403


def test_sign_on_leads_only_to_pages_of_ours(provider: Provider, person: User) -> None:
    answer = go(Client(), "/accounts/oidc/?next=https://outside.example/")
    assert answer["Location"] == "/"


@pytest.fixture
def _without_passwords(provider: Provider, settings: Any) -> None:
    settings.PASSWORDS_ALLOWED = False


@pytest.mark.usefixtures("_without_passwords")
def test_where_passwords_are_off_no_door_takes_one(person: User) -> None:
    client = Client()
    page = client.get("/accounts/login/")
    assert "Sign in with House ID" in page.text
    assert 'type="password"' not in page.text
    refused = client.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    assert (refused.status_code, who(client)) == (403, None)
    link = password_path(person, by=None)
    client.force_login(person, backend="evalapp.accounts.backends.AccountBackend")
    for path in ("password/change/", "password/set/", "password/reset/", "reauthenticate/"):
        assert client.get(f"/accounts/{path}").status_code == 403
    assert Client().get(link).status_code == 403
    assert "Change password" not in client.get("/profile/").text


@pytest.mark.usefixtures("_without_passwords")
def test_where_passwords_are_off_an_invitation_leads_to_the_provider(
    project: Any, owner: User, client_for: Any
) -> None:
    made = invite(project=project, email="person@cast.example", role="reviewer", by=owner)
    page = Client().get(f"/invitations/{made.token}/")
    assert "Join with House ID" in page.text
    assert 'type="password"' not in page.text
    form = {"name": "New", "password1": PASSWORD, "password2": PASSWORD}
    assert Client().post(f"/invitations/{made.token}/", form).status_code == 403
    members = client_for(owner).get(f"/projects/{project.slug}/settings/members/").text
    assert "Password link" not in members


def test_the_site_admin_has_a_way_in_that_works_once(person: User, capsys: Any) -> None:
    with pytest.raises(CommandError, match="not a site admin"):
        call_command("sign_in_link", email=person.email)
    with pytest.raises(CommandError, match="no account"):
        call_command("sign_in_link", email="nobody@cast.example")
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    call_command("sign_in_link", email=person.email)
    path = re.search(r"/accounts/emergency/\S+", capsys.readouterr().out)[0]
    client = Client()
    assert "Sign in as Person" in client.get(path).text
    assert who(client) is None
    assert client.post(path)["Location"] == "/"
    assert who(client) == str(person.pk)
    assert Client().post(path).status_code == 404
    actions = AuditEvent.objects.filter(object_id=person.pk, object_type="user").values_list(
        "action", flat=True
    )
    assert {"person.emergency_link_created", "person.emergency_sign_in"} <= set(actions)


def test_the_way_in_is_closed_after_a_quarter_of_an_hour(person: User, monkeypatch: Any) -> None:
    person.is_superuser = True
    person.save()
    path = emergency_path(person)
    later = timezone.now() + dt.timedelta(minutes=16)
    monkeypatch.setattr("evalapp.accounts.one_time_links.timezone.now", lambda: later)
    assert Client().get(path).status_code == 404
