import re
from collections.abc import Callable

import pytest
from django.test import Client

from evalapp.accounts.adapter import ClosedSignUpAdapter
from evalapp.accounts.models import User
from evalapp.accounts.people import anonymise_person, password_path
from evalapp.accounts.tokens import create_api_token, use_api_token
from evalapp.audit.models import AuditEvent

PASSWORD = "a quiet harbour 9"


@pytest.fixture
def person(db: None) -> User:
    return User.objects.create_user("Person@cast.example", PASSWORD, name="Person")


def attempt(client: Client, email: str, password: str) -> object:
    return client.post("/accounts/login/", {"login": email, "password": password})


def test_the_door_is_by_e_mail_in_any_case(person: User) -> None:
    client = Client()
    assert client.get("/accounts/login/").status_code == 200
    assert attempt(client, "PERSON@cast.example", PASSWORD).status_code == 302
    assert client.session["_auth_user_id"] == str(person.pk)


def test_the_session_is_another_after_sign_in(person: User) -> None:
    client = Client()
    client.get("/accounts/login/")
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["sessionid"] = session.session_key
    attempt(client, person.email, PASSWORD)
    assert client.cookies["sessionid"].value != session.session_key


def test_a_wrong_address_and_a_wrong_password_answer_the_same(person: User) -> None:
    def answer(email: str) -> str:
        text = attempt(Client(), email, "wrong").text
        text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"|"X-CSRFToken": "[^"]+"', "", text)
        return text.replace(email, "")

    assert answer(person.email) == answer("nobody@cast.example")


def test_after_eight_failures_the_door_is_locked_even_for_the_right_password(person: User) -> None:
    client = Client()
    for _ in range(8):
        last = attempt(client, person.email, "wrong")
    assert last.status_code == 429
    locked = attempt(client, person.email, PASSWORD)
    assert locked.status_code == 429
    assert locked["Retry-After"] == "900"
    assert "Wait 15 minutes" in locked.text
    assert "_auth_user_id" not in client.session


def test_one_persons_failures_lock_nobody_else_out(person: User) -> None:
    for _ in range(8):
        last = attempt(Client(), "nobody@cast.example", "wrong")
    assert last.status_code == 429
    assert attempt(Client(), person.email, PASSWORD).status_code == 302


def test_another_spelling_of_the_address_is_the_same_door(person: User) -> None:
    for number in range(8):
        spelling = person.email.upper() if number % 2 else f" {person.email} "
        attempt(Client(), spelling, "wrong")
    assert attempt(Client(), person.email, PASSWORD).status_code == 429


def test_behind_the_proxy_failures_count_where_they_come_from(person: User, settings) -> None:
    settings.TRUSTED_PROXY = ("127.0.0.1",)
    away, here = (
        Client(headers={"X-Forwarded-For": f"10.9.9.9, {place}"}) for place in ("192.0.2.1", "192.0.2.2")
    )
    for _ in range(8):
        last = attempt(away, person.email, "wrong")
    assert last.status_code == 429
    assert attempt(here, person.email, PASSWORD).status_code == 302


def test_a_direct_client_cannot_say_where_it_comes_from(person: User) -> None:
    for number in range(8):
        last = attempt(Client(headers={"X-Forwarded-For": f"192.0.2.{number}"}), person.email, "wrong")
    assert last.status_code == 429


def test_nobody_signs_up(db: None) -> None:
    client = Client()
    data = {"email": "x@cast.example", "password1": PASSWORD, "password2": PASSWORD}
    assert "created by invitation" in client.post("/accounts/signup/", data).text
    assert not User.objects.exists()


def test_a_simulated_reviewer_cannot_sign_in(db: None) -> None:
    simulated = User.objects.create_user("sim@cast.example", name="Sim", is_simulated=True)
    assert attempt(Client(), simulated.email, "").status_code != 302


@pytest.mark.parametrize("target", ["https://outside.example/", "//outside.example", "javascript:alert(1)"])
def test_sign_in_leads_only_to_pages_of_ours(target: str, person: User) -> None:
    response = Client().post(
        "/accounts/login/", {"login": person.email, "password": PASSWORD, "next": target}
    )
    assert response["Location"] == "/"


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/password/reset/",
        "/accounts/password/reset/key/done/",
        "/accounts/inactive/",
    ],
)
def test_every_door_is_a_page_of_ours_without_inline_style(path: str, db: None) -> None:
    response = Client().get(path)
    assert response.status_code == 200
    assert 'class="sign-in"' in response.text
    assert "style=" not in response.text and "<style" not in response.text


def test_the_password_is_changed_with_the_old_one(
    person: User, client_for: Callable[[User | None], Client]
) -> None:
    browser = client_for(person)
    data = {"oldpassword": PASSWORD, "password1": "another calm bay 7", "password2": "another calm bay 7"}
    assert "Change password" in browser.get("/accounts/password/change/").text
    assert browser.post("/accounts/password/change/", data).status_code == 302
    person.refresh_from_db()
    assert person.check_password("another calm bay 7")


@pytest.mark.parametrize("door", ["change", "link"])
def test_a_password_set_while_the_persons_data_is_deleted_is_refused_in_words(
    door: str, person: User, client_for: Callable[[User | None], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete_meanwhile(self: ClosedSignUpAdapter, password: str, user: User | None = None) -> str:
        anonymise_person(user=person, by=person)
        return password

    browser = client_for(person) if door == "change" else Client()
    path = "/accounts/password/change/"
    if door == "link":
        path = browser.get(password_path(person, by=None), follow=True).redirect_chain[-1][0]
    monkeypatch.setattr(ClosedSignUpAdapter, "clean_password", delete_meanwhile)
    data = {"oldpassword": PASSWORD, "password1": "another calm bay 7", "password2": "another calm bay 7"}

    answer = browser.post(path, data)

    assert answer.status_code == 409
    assert "data has been deleted in the meantime" in answer.text
    assert not User.objects.get(pk=person.pk).has_usable_password()


def test_a_password_set_by_a_link_ends_sign_ins_and_tokens_of_the_old_one(
    person: User, client_for: Callable[[User | None], Client]
) -> None:
    old_sign_in = client_for(person)
    secrets = [create_api_token(user=person, name=name, by=person).secret for name in ("one", "two")]
    browser = Client()
    page = browser.get(password_path(person, by=None), follow=True)
    assert "ends all your earlier sign-ins and API tokens" in page.text

    data = {"password1": "another calm bay 7", "password2": "another calm bay 7"}
    done = browser.post(page.redirect_chain[-1][0], data, follow=True)

    assert "The new password is set" in done.text
    assert [use_api_token(secret) for secret in secrets] == [None, None]
    assert old_sign_in.get("/profile/").status_code == 302
    assert AuditEvent.objects.filter(action="api_token.revoked", actor_id=person.pk).count() == 2
    assert AuditEvent.objects.filter(action="person.password_set", object_id=person.pk).count() == 1
    assert attempt(Client(), person.email, "another calm bay 7").status_code == 302


def test_a_password_changed_by_the_old_one_leaves_the_tokens(
    person: User, client_for: Callable[[User | None], Client]
) -> None:
    secret = create_api_token(user=person, name="one", by=person).secret
    data = {"oldpassword": PASSWORD, "password1": "another calm bay 7", "password2": "another calm bay 7"}
    assert client_for(person).post("/accounts/password/change/", data).status_code == 302
    assert use_api_token(secret) is not None
