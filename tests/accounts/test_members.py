import re
from collections.abc import Callable

import pytest
from django.test import Client

from evalapp.accounts.invitations import invite
from evalapp.accounts.models import Invitation, Membership, Project, Role, User
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import InvalidError
from tests.api.conftest import problem_in, program_of
from tests.cast import make_user
from tests.kept_cast import FIXTURES

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
ClientFor = Callable[[User | None], Client]


def membership(project: Project, user: User) -> Membership:
    return Membership.objects.get(project=project, user=user)


def address(project: Project, rest: str = "") -> str:
    return f"/projects/{project.slug}/settings/members/{rest}"


def invitation_path(response: object) -> str:
    found = re.search(r'value="http://testserver(/invitations/[^"]+)"', response.text)  # type: ignore[attr-defined]
    assert found
    return found.group(1)


@pytest.mark.parametrize(
    ("who", "status"),
    [("owner", 200), ("manager", 200), ("engineer", 403), ("reviewer", 403), ("stranger", 404)],
)
def test_only_owners_and_managers_see_the_members(
    who: str, status: int, request: pytest.FixtureRequest, client_for: ClientFor, project: Project
) -> None:
    assert client_for(request.getfixturevalue(who)).get(address(project)).status_code == status


def test_a_manager_changes_a_role(
    client_for: ClientFor, manager: User, reviewer: User, project: Project
) -> None:
    pk = membership(project, reviewer).pk
    response = client_for(manager).post(address(project, f"{pk}/role/"), {"role": "engineer"})
    assert response.status_code == 302
    assert membership(project, reviewer).role == "engineer"
    event = AuditEvent.objects.latest("id")
    assert (event.action, event.actor_id, event.object_id) == ("member.role_changed", manager.pk, reviewer.pk)
    assert event.data == {"before": "reviewer", "after": "engineer"}


@pytest.mark.parametrize("role", ["owner", "admin", ""])
def test_a_manager_cannot_make_an_owner_nor_an_unknown_role(
    role: str, client_for: ClientFor, manager: User, reviewer: User, project: Project
) -> None:
    pk = membership(project, reviewer).pk
    response = client_for(manager).post(address(project, f"{pk}/role/"), {"role": role})
    assert response.status_code == (403 if role == "owner" else 400)
    assert membership(project, reviewer).role == "reviewer"


@pytest.mark.parametrize("path", ["role/", "remove/", "reset-link/"])
def test_a_manager_cannot_touch_an_owner(
    path: str, client_for: ClientFor, manager: User, owner: User, project: Project
) -> None:
    pk = membership(project, owner).pk
    response = client_for(manager).post(address(project, f"{pk}/{path}"), {"role": "reviewer"})
    assert response.status_code == 403
    assert membership(project, owner).role == "owner"


@pytest.mark.parametrize("path", ["role/", "remove/"])
def test_the_last_owner_stays(path: str, client_for: ClientFor, owner: User, project: Project) -> None:
    pk = membership(project, owner).pk
    response = client_for(owner).post(address(project, f"{pk}/{path}"), {"role": "reviewer"})
    assert response.status_code == 409
    assert "last owner" in response.text
    assert membership(project, owner).role == "owner"


def test_a_removed_member_loses_access_at_once(
    client_for: ClientFor, owner: User, manager: User, project: Project
) -> None:
    browser = client_for(manager)
    assert browser.get(address(project)).status_code == 200
    client_for(owner).post(address(project, f"{membership(project, manager).pk}/remove/"))
    assert browser.get(address(project)).status_code == 404


def test_a_member_of_another_project_is_not_there(
    client_for: ClientFor, owner: User, stranger: User, project: Project, other_project: Project
) -> None:
    foreign = membership(other_project, stranger).pk
    for path in ("role/", "remove/", "reset-link/"):
        assert (
            client_for(owner).post(address(project, f"{foreign}/{path}"), {"role": "reviewer"}).status_code
            == 404
        )


def test_a_new_person_comes_in_by_a_link_that_works_once(
    client_for: ClientFor, manager: User, project: Project
) -> None:
    made = client_for(manager).post(address(project), {"emails": "New@Example.org", "role": "reviewer"})
    assert made.status_code == 201
    path = invitation_path(made)
    assert Invitation.objects.get().token_hash not in path
    details = {"name": "New", "password1": "a quiet harbour 9", "password2": "a quiet harbour 9"}
    browser = Client()
    assert "new@example.org" in browser.get(path).text
    assert browser.post(path, details).status_code == 302
    person = User.objects.get(email="new@example.org")
    assert membership(project, person).role == Role.REVIEWER
    assert browser.session["_auth_user_id"] == str(person.pk)
    assert Client().get(path).status_code == 404


def test_a_weak_password_is_refused_with_the_reason(
    client_for: ClientFor, manager: User, project: Project
) -> None:
    made = client_for(manager).post(address(project), {"emails": "new@example.org", "role": "reviewer"})
    response = Client().post(
        invitation_path(made), {"name": "New", "password1": "password", "password2": "password"}
    )
    assert response.status_code == 400
    assert "too short" in response.text
    assert not User.objects.filter(email="new@example.org").exists()


def test_a_signed_in_person_joins_only_by_their_own_invitation(
    client_for: ClientFor, manager: User, stranger: User, engineer: User, project: Project
) -> None:
    made = client_for(manager).post(address(project), {"emails": stranger.email, "role": "engineer"})
    path = invitation_path(made)
    refused = client_for(engineer).post(path)
    assert refused.status_code == 403
    assert stranger.email in refused.text
    assert client_for(stranger).post(path).status_code == 302
    assert membership(project, stranger).role == "engineer"


def test_someone_with_an_account_signs_in_first(
    client_for: ClientFor, manager: User, stranger: User, project: Project
) -> None:
    made = client_for(manager).post(address(project), {"emails": stranger.email, "role": "engineer"})
    response = Client().get(invitation_path(made))
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=%2Finvitations%2F")


@pytest.mark.parametrize("how", ["withdrawn", "expired"])
def test_a_void_link_opens_nothing(how: str, client_for: ClientFor, manager: User, project: Project) -> None:
    browser = client_for(manager)
    path = invitation_path(browser.post(address(project), {"emails": "new@example.org", "role": "reviewer"}))
    invitation = Invitation.objects.get()
    if how == "withdrawn":
        browser.post(f"/projects/{project.slug}/settings/invitations/{invitation.pk}/revoke/")
    else:
        Invitation.objects.update(expires_at=invitation.created_at)
    assert Client().get(path).status_code == 404


@pytest.mark.parametrize("how", ["removed", "engineer", "deleted"])
def test_who_is_no_manager_any_more_does_not_come_back_by_a_link_of_their_own(
    how: str, client_for: ClientFor, owner: User, manager: User, project: Project
) -> None:
    path = invitation_path(
        client_for(manager).post(address(project), {"emails": "second@example.org", "role": "manager"})
    )
    kept = invitation_path(
        client_for(owner).post(address(project), {"emails": "third@example.org", "role": "manager"})
    )
    pk = membership(project, manager).pk
    if how == "removed":
        client_for(owner).post(address(project, f"{pk}/remove/"))
    elif how == "engineer":
        client_for(owner).post(address(project, f"{pk}/role/"), {"role": how})
    else:
        client_for(manager).post("/profile/delete/", {"typed_email": manager.email})

    assert Client().get(path).status_code == 404
    assert Client().get(kept).status_code == 200
    page = client_for(owner).get(address(project)).text
    assert "third@example.org" in page and "second@example.org" not in page
    assert AuditEvent.objects.filter(action="invitation.revoked").count() == 1


def test_an_owner_who_becomes_a_manager_keeps_the_links_that_a_manager_may_make(
    client_for: ClientFor, owner: User, manager: User, project: Project
) -> None:
    browser = client_for(owner)
    of_owner, of_reviewer = (
        invitation_path(browser.post(address(project), {"emails": f"{role}@example.org", "role": role}))
        for role in ("owner", "reviewer")
    )
    Membership.objects.create(project=project, user=(other := make_user("second owner")), role=Role.OWNER)
    pk = membership(project, owner).pk
    assert client_for(other).post(address(project, f"{pk}/role/"), {"role": "manager"}).status_code == 302
    assert Client().get(of_owner).status_code == 404
    assert Client().get(of_reviewer).status_code == 200


def test_a_manager_cannot_invite_an_owner(client_for: ClientFor, manager: User, project: Project) -> None:
    response = client_for(manager).post(address(project), {"emails": "new@example.org", "role": "owner"})
    assert response.status_code == 400
    assert not Invitation.objects.exists()


def test_a_copied_link_sets_a_password_once(
    client_for: ClientFor, manager: User, reviewer: User, project: Project
) -> None:
    pk = membership(project, reviewer).pk
    made = client_for(manager).post(address(project, f"{pk}/reset-link/"))
    found = re.search(r'value="http://testserver(/accounts/password/reset/key/[^"]+)"', made.text)
    assert made.status_code == 201 and found
    assert AuditEvent.objects.latest("id").action == "person.reset_link_created"
    browser = Client()
    form = browser.get(found.group(1), follow=True)
    password = {"password1": "a quiet harbour 9", "password2": "a quiet harbour 9"}
    assert browser.post(form.redirect_chain[-1][0], password).status_code == 302
    reviewer.refresh_from_db()
    assert reviewer.check_password("a quiet harbour 9")
    assert "This link is no longer valid" in Client().get(found.group(1), follow=True).text


def test_a_password_link_never_reaches_into_another_project(
    client_for: ClientFor, owner: User, stranger: User, project: Project, other_project: Project
) -> None:
    """`stranger` owns another project: an owner here could otherwise take that over."""
    made = Membership.objects.create(project=project, user=stranger, role=Role.REVIEWER)
    assert client_for(owner).post(address(project, f"{made.pk}/reset-link/")).status_code == 403


def test_the_site_admin_sees_no_project_by_that_alone(
    client_for: ClientFor, stranger: User, project: Project
) -> None:
    stranger.is_superuser = True
    stranger.save()
    assert client_for(stranger).get(address(project)).status_code == 404
    assert client_for(stranger).get(f"/projects/{project.slug}/settings/audit/").status_code == 404


@pytest.mark.parametrize("extra", [1, 4])
def test_the_list_costs_the_same_however_many_members(
    extra: int,
    client_for: ClientFor,
    owner: User,
    project: Project,
    django_assert_num_queries: Callable[[int], object],
) -> None:
    for number in range(extra):
        user = User.objects.create_user(f"more{number}@cast.example")
        Membership.objects.create(project=project, user=user, role=Role.REVIEWER)
    browser = client_for(owner)
    with django_assert_num_queries(9):  # type: ignore[attr-defined]
        browser.get(address(project))


@pytest.mark.parametrize("odd", ["person@ｅxample.com", "ıvan@example.com", "person@exаmple.com"])
def test_an_address_that_looks_like_another_is_refused_with_the_character(
    odd: str, client_for: ClientFor, manager: User, project: Project
) -> None:
    answer = client_for(manager).post(address(project), {"emails": odd, "role": "reviewer"})
    assert answer.status_code == 400
    character = next(each for each in odd if not each.isascii())
    assert f"“{character}” (U+{ord(character):04X}), which looks like another letter" in answer.text
    assert not Invitation.objects.exists()
    with pytest.raises(InvalidError, match="looks like another letter"):
        User.objects.create_user(odd)


@pytest.mark.parametrize(
    "none",
    ["a@x.example\nBcc: b@x.example", "<script>@x.example", "a@x", "a b@x.example", "@", '"\x01"@x.example'],
)
def test_what_is_no_address_is_refused_alike_on_the_page_and_by_programs(
    none: str, client_for: ClientFor, manager: User, project: Project
) -> None:
    said = {"email": none, "role": "reviewer"}
    assert client_for(manager).post(address(project), {"emails": none, "role": "reviewer"}).status_code == 400
    problem = problem_in(program_of(manager).post(f"/api/v1/projects/{project.slug}/invitations/", said), 400)
    assert list(problem["fields"]) == ["email"]
    assert not Invitation.objects.exists()


def test_a_manager_cannot_void_the_invitation_of_an_owner(
    client_for: ClientFor, owner: User, manager: User, project: Project
) -> None:
    invitation = invite(project=project, email="chief@example.org", role="owner", by=owner).invitation
    page = client_for(manager).post(f"/projects/{project.slug}/settings/invitations/{invitation.pk}/revoke/")
    assert (page.status_code, "may not give or take the role owner" in page.text) == (403, True)
    program = program_of(manager)
    invitations = f"/api/v1/projects/{project.slug}/invitations/"
    problem_in(program.ask("DELETE", f"{invitations}{invitation.pk}/"), 403)
    assert program.post(invitations, {"email": "Chief@example.org", "role": "reviewer"}).status_code == 201
    invitation.refresh_from_db()
    assert invitation.revoked_at is None


def test_links_for_one_email_live_side_by_side_until_one_is_used(
    client_for: ClientFor, manager: User, project: Project
) -> None:
    browser = client_for(manager)
    said = {"emails": "new@example.org", "role": "reviewer"}
    first, second = (invitation_path(browser.post(address(project), said)) for _ in range(2))
    assert [Client().get(path).status_code for path in (first, second)] == [200, 200]
    details = {"name": "New", "password1": "a quiet harbour 9", "password2": "a quiet harbour 9"}
    assert Client().post(first, details).status_code == 302
    assert [Client().get(path).status_code for path in (first, second)] == [404, 404]
    assert "new@example.org" not in browser.get(address(project)).text.partition("Open invitations")[2]


def test_anyone_leaves_by_themselves(project: Project, reviewer: User, owner: User, stranger: User) -> None:
    own = f"/api/v1/projects/{project.slug}/members/me/"
    assert program_of(reviewer).ask("DELETE", own).status_code == 204
    assert not Membership.objects.filter(project=project, user=reviewer).exists()
    problem_in(program_of(reviewer).ask("DELETE", own), 404)
    problem_in(program_of(stranger).ask("DELETE", own), 404)
    problem_in(program_of(owner).ask("DELETE", own), 409)
    event = AuditEvent.objects.get(action="member.removed")
    assert (event.actor_id, event.object_id) == (reviewer.pk, reviewer.pk)


def test_an_old_account_with_a_look_alike_address_does_not_stand_in_the_way(
    client_for: ClientFor, manager: User, project: Project
) -> None:
    old = User.objects.create(email="ıvan@example.com")
    Membership.objects.create(project=project, user=old, role=Role.REVIEWER)
    made = client_for(manager).post(address(project), {"emails": "Ivan@example.com", "role": "reviewer"})
    assert made.status_code == 201
    details = {"name": "Ivan", "password1": "a quiet harbour 9", "password2": "a quiet harbour 9"}
    assert Client().post(invitation_path(made), details).status_code == 302
    assert membership(project, User.objects.get(email="ivan@example.com")).role == Role.REVIEWER
