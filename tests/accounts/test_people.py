import re
from collections.abc import Callable
from io import StringIO

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.db import IntegrityError, InternalError, connection, transaction
from django.test import Client

from evalapp.accounts.models import ApiToken, Membership, Project, User
from evalapp.accounts.people import anonymise_person, update_profile
from evalapp.accounts.queries import may_create_project
from evalapp.accounts.review_keys import REVIEW_KEYS, keys_of
from evalapp.accounts.tokens import PREFIX, use_api_token
from evalapp.audit.models import AuditEvent
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.reviews.models import Draft
from tests.access_objects import make_world
from tests.traces import traces_of

ClientFor = Callable[[User | None], Client]
KEYS = {key.action: key.default for key in REVIEW_KEYS}


def profile_form(**changes: str) -> dict[str, str]:
    form = {
        "name": "Reviewer",
        "keys_enabled": "on",
        **{f"key_{action}": key for action, key in KEYS.items()},
    }
    return {**form, **changes}


def test_a_person_remaps_a_key(client_for: ClientFor, reviewer: User) -> None:
    assert client_for(reviewer).get("/profile/").status_code == 200
    assert (
        client_for(reviewer).post("/profile/", profile_form(key_skip="K", name=" A  B ")).status_code == 302
    )
    reviewer.refresh_from_db()
    assert reviewer.name == "A B"
    assert keys_of(reviewer) == {**KEYS, "skip": "k"}


def test_a_letter_of_ones_own_is_not_another_actions_default(reviewer: User) -> None:
    """As after an upgrade that adds an action whose letter somebody has given to another."""
    mine = {action: letter for action, letter in KEYS.items() if action != "facts"}
    reviewer.review_keys = {"enabled": True, "map": {**mine, "comment": KEYS["facts"]}}

    assert keys_of(reviewer) == {**mine, "comment": KEYS["facts"]}


def test_the_keys_can_be_switched_off_and_keep_their_letters(client_for: ClientFor, reviewer: User) -> None:
    form = profile_form(key_skip="k")
    del form["keys_enabled"]
    client_for(reviewer).post("/profile/", form)
    reviewer.refresh_from_db()
    assert keys_of(reviewer) == {}
    assert reviewer.review_keys["map"]["skip"] == "k"


@pytest.mark.parametrize(
    ("key", "reason"), [("3", "Number keys give scores"), ("c", "already taken by “Comment”")]
)
def test_a_key_that_means_something_else_is_refused(
    key: str, reason: str, client_for: ClientFor, reviewer: User
) -> None:
    response = client_for(reviewer).post("/profile/", profile_form(key_skip=key))
    assert response.status_code == 400
    assert reason in response.text


def test_nobody_raises_themselves_by_extra_fields(client_for: ClientFor, reviewer: User) -> None:
    client_for(reviewer).post("/profile/", profile_form(is_superuser="1", is_staff="1", email="x@y.example"))
    reviewer.refresh_from_db()
    assert (reviewer.is_superuser, reviewer.email) == (False, "reviewer@cast.example")


def test_a_token_is_shown_once_and_stored_as_a_hash(client_for: ClientFor, engineer: User) -> None:
    browser = client_for(engineer)
    response = browser.post("/profile/tokens/", {"name": "import", "days": "30"})
    found = re.search(rf'value="({PREFIX}[\w-]{{43}})"', response.text)
    assert response.status_code == 201 and found
    secret = found.group(1)
    assert secret not in browser.get("/profile/tokens/").text
    assert secret not in str(list(ApiToken.objects.values()))
    assert use_api_token(secret).user == engineer  # type: ignore[union-attr]
    token = ApiToken.objects.get()
    assert token.last_used_at is not None
    browser.post(f"/profile/tokens/{token.pk}/revoke/")
    assert use_api_token(secret) is None
    assert [event.action for event in AuditEvent.objects.order_by("id")] == [
        "api_token.created",
        "api_token.revoked",
    ]


def test_a_token_of_another_person_is_not_there(
    client_for: ClientFor, engineer: User, stranger: User
) -> None:
    client_for(engineer).post("/profile/tokens/", {"name": "import", "days": "0"})
    assert (
        client_for(stranger).post(f"/profile/tokens/{ApiToken.objects.get().pk}/revoke/").status_code == 404
    )
    assert ApiToken.objects.get().revoked_at is None


def test_a_token_of_a_closed_account_opens_nothing(client_for: ClientFor, engineer: User) -> None:
    response = client_for(engineer).post("/profile/tokens/", {"name": "import", "days": "30"})
    secret = re.search(rf'value="({PREFIX}[\w-]+)"', response.text).group(1)  # type: ignore[union-attr]
    User.objects.filter(pk=engineer.pk).update(is_active=False)
    assert use_api_token(secret) is None


def test_a_deleted_person_is_nowhere_by_name_and_the_audit_stays(
    client_for: ClientFor, reviewer: User, project: Project
) -> None:
    record("review.submitted", by=reviewer, project=project)
    record("member.added", by=None, obj=reviewer, project=project)
    browser = client_for(reviewer)
    assert browser.post("/profile/delete/", {"typed_email": "wrong"}).status_code == 400
    response = browser.post("/profile/delete/", {"typed_email": reviewer.email})
    assert "Your data is deleted" in response.text
    former = User.objects.get(pk=reviewer.pk)
    assert (str(former), former.is_active) == (f"Former member {reviewer.pk}", False)
    assert former.anonymised_at is not None
    assert not Membership.objects.filter(user=former).exists()
    assert browser.get("/profile/").status_code == 302
    whole_audit = str(list(AuditEvent.objects.values()))
    assert "Reviewer" not in whole_audit and "reviewer@cast" not in whole_audit
    assert AuditEvent.objects.filter(actor_id=reviewer.pk).count() == 3


def test_sign_ins_tokens_and_drafts_go_with_a_persons_data(
    client_for: ClientFor, reviewer: User, other_reviewer: User, project: Project
) -> None:
    world = make_world(project, reviewer=reviewer)
    Draft.objects.create(
        campaign=world.campaign, reviewer=other_reviewer, item_output=world.item_output, body={}
    )
    EmailAddress.objects.create(user=reviewer, email=reviewer.email)
    reviewer.name, reviewer.email = "Somebody Unlike", "somebody.unlike@cast.example"
    reviewer.set_password("a quiet harbour 9")
    reviewer.save()
    laptop, phone, elses = Client(), Client(), client_for(other_reviewer)
    for browser in (laptop, phone):
        signed_in = {"login": reviewer.email, "password": "a quiet harbour 9"}
        assert browser.post("/accounts/login/", signed_in).status_code == 302
    assert "decoded sessions" in traces_of(reviewer.email)

    laptop.post("/profile/delete/", {"typed_email": reviewer.email})

    assert traces_of(reviewer.email) + traces_of(reviewer.name) == []
    assert phone.get("/profile/").status_code == 302
    assert elses.get("/profile/").status_code == 200
    assert not reviewer.api_tokens.exists()
    assert [draft.reviewer for draft in Draft.objects.all()] == [other_reviewer]
    assert reviewer.reviews.exists()


def test_a_page_that_was_open_does_not_bring_a_name_back(reviewer: User, project: Project) -> None:
    as_it_was = User.objects.get(pk=reviewer.pk)
    anonymise_person(user=reviewer, by=reviewer)
    with pytest.raises(ConflictError, match="has been deleted"):
        update_profile(user=as_it_was, by=as_it_was, name="Reviewer", review_keys={})
    with pytest.raises(IntegrityError), transaction.atomic():
        as_it_was.save()
    record("review.amended", by=as_it_was, obj=as_it_was)
    assert str(User.objects.get(pk=reviewer.pk)) == f"Former member {reviewer.pk}"
    assert "Reviewer" not in str(list(AuditEvent.objects.values()))


def test_to_delete_a_persons_data_once_more_changes_nothing(reviewer: User, project: Project) -> None:
    for _ in range(2):
        anonymise_person(user=reviewer, by=reviewer)
    assert AuditEvent.objects.filter(action="person.anonymised").count() == 1


def test_no_account_can_stand_in_the_way_of_a_deletion(
    client_for: ClientFor, manager: User, reviewer: User, project: Project
) -> None:
    taken = f"former-member-{reviewer.pk}@deleted.invalid"
    form = {"emails": taken.upper(), "role": "reviewer"}
    refused = client_for(manager).post(f"/projects/{project.slug}/settings/members/", form)
    assert refused.status_code == 400
    assert "belong to former members" in refused.text
    with pytest.raises(InvalidError, match="own email"):
        User.objects.create_user(taken)
    # One that was made before they were refused.
    User.objects.create(email=taken)

    response = client_for(reviewer).post("/profile/delete/", {"typed_email": reviewer.email})

    assert "Your data is deleted" in response.text
    assert User.objects.get(pk=reviewer.pk).anonymised_at is not None


def test_the_last_owner_cannot_vanish(client_for: ClientFor, owner: User, project: Project) -> None:
    with pytest.raises(ConflictError, match="last owner of “Summaries”"):
        anonymise_person(user=owner, by=owner)


def test_others_cannot_delete_a_person(owner: User, reviewer: User, project: Project) -> None:
    with pytest.raises(NotAllowedError):
        anonymise_person(user=reviewer, by=owner)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE evalapp_auditevent SET action = 'x'",
        "UPDATE evalapp_auditevent SET actor_label = 'Somebody else'",
        "UPDATE evalapp_auditevent SET actor_label = 'Former member 1', action = 'x'",
        "DELETE FROM evalapp_auditevent",
    ],
)
def test_the_database_refuses_any_other_change_of_the_audit(change: str, owner: User) -> None:
    record("x.y", by=owner)
    with pytest.raises((InternalError, Exception), match="never changed"), transaction.atomic():
        connection.cursor().execute(change)


def run_create_owner(*arguments: str, typed: str = "", monkeypatch: pytest.MonkeyPatch) -> str:
    out = StringIO()
    monkeypatch.setattr("sys.stdin", StringIO(typed))
    call_command("create_owner", *arguments, stdout=out)
    return out.getvalue()


def test_the_first_owner_is_made_on_the_command_line(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    out = run_create_owner(
        "--email", "First@example.org", "--name", "First", "--project", "Claims",
        typed="a quiet harbour 9\n", monkeypatch=monkeypatch,
    )  # fmt: skip
    user = User.objects.get()
    assert user.check_password("a quiet harbour 9")
    assert "first@example.org can sign in" in out
    assert Membership.objects.get(user=user).role == "owner"
    assert Project.objects.get().rubrics.count() == 1


def test_without_a_terminal_the_address_must_be_given(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="Give it with --email"):
        run_create_owner(typed="a quiet harbour 9\n", monkeypatch=monkeypatch)
    assert not User.objects.exists()


def test_a_weak_password_is_refused_and_nothing_is_stored(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="too short"):
        run_create_owner("--email", "first@example.org", typed="short\n", monkeypatch=monkeypatch)
    assert not User.objects.exists()


def test_a_link_is_printed_instead_of_asking(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    out = run_create_owner("--email", "first@example.org", "--link", monkeypatch=monkeypatch)
    path = re.search(r"http://\S+?(/accounts/password/reset/key/\S+)", out)
    assert path
    assert "Choose a password" in Client().get(path.group(1), follow=True).text
    user = User.objects.get()
    assert not user.has_usable_password()
    run_create_owner("--email", "first@example.org", "--link", monkeypatch=monkeypatch)
    assert Project.objects.get().name == "First project"
    assert may_create_project(user)
