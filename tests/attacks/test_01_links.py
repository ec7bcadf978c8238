"""A link that sets a password is no right of its own: it does what its maker may do when it is used."""

import re
from collections.abc import Callable
from threading import Event

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from evalapp.accounts.invitations import invite
from evalapp.accounts.models import Membership, OneTimeLink, Project, Role, User
from evalapp.accounts.people import anonymise_person, create_reset_link
from evalapp.accounts.services import add_member, change_role, create_project, remove_member
from evalapp.core.errors import ConflictError
from tests.at_once import at_once, until_somebody_waits
from tests.cast import make_project, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "a quiet harbour 9"
CHOSEN = {"password1": PASSWORD, "password2": PASSWORD}
BREAKS: dict[str, Callable[[Project, User, User, User], object]] = {
    "the person becomes owner elsewhere": lambda project, owner, manager, person: create_project(
        name="Elsewhere", by=person
    ),
    "the person joins another project": lambda project, owner, manager, person: add_member(
        project=make_project("Elsewhere"), user=person, role="reviewer", by=None
    ),
    "the person's role changes": lambda project, owner, manager, person: change_role(
        membership=project.memberships.get(user=person), role="engineer", by=owner
    ),
    "the person becomes owner here": lambda project, owner, manager, person: change_role(
        membership=project.memberships.get(user=person), role="owner", by=owner
    ),
    "the person is removed": lambda project, owner, manager, person: remove_member(
        membership=project.memberships.get(user=person), by=owner
    ),
    "the manager is removed": lambda project, owner, manager, person: remove_member(
        membership=project.memberships.get(user=manager), by=owner
    ),
    "the manager becomes a reviewer": lambda project, owner, manager, person: change_role(
        membership=project.memberships.get(user=manager), role="reviewer", by=owner
    ),
    "the manager's data is deleted": lambda project, owner, manager, person: anonymise_person(
        user=manager, by=manager
    ),
}
# What goes past the services; only the judgement at the time of use is left.
BREAKS_UNHEARD: dict[str, Callable[[User, User], object]] = {
    "the person becomes site admin": lambda manager, person: User.objects.filter(pk=person.pk).update(
        is_superuser=True
    ),
    "the person's account is closed": lambda manager, person: User.objects.filter(pk=person.pk).update(
        is_active=False
    ),
    "the manager's account is closed": lambda manager, person: User.objects.filter(pk=manager.pk).update(
        is_active=False
    ),
    "the manager's project is gone": lambda manager, person: Membership.objects.filter(user=manager).delete(),
    "the person owns what was written past the services": lambda manager, person: Membership.objects.create(
        project=make_project("Elsewhere"), user=person, role=Role.OWNER
    ),
}


def reset_link(project: Project, manager: User, person: User) -> str:
    return create_reset_link(
        membership=project.memberships.select_related("user", "project").get(user=person),
        by=project.memberships.select_related("user").get(user=manager),
    )


def use(path: str) -> str:
    """Open a link and choose a password; the text of the last page."""
    browser = Client()
    page = browser.get(path, follow=True)
    if page.redirect_chain:
        page = browser.post(page.redirect_chain[-1][0], CHOSEN, follow=True)
    return page.text


@pytest.mark.parametrize("what", BREAKS)
def test_a_change_of_roles_voids_the_links_of_either_side(
    what: str, project: Project, owner: User, manager: User, reviewer: User
) -> None:
    path = reset_link(project, manager, reviewer)

    BREAKS[what](project, owner, manager, reviewer)

    assert not OneTimeLink.objects.filter(used_at=None, revoked_at=None).exists()
    assert "This link is no longer valid" in use(path)
    reviewer.refresh_from_db()
    assert not reviewer.has_usable_password()


@pytest.mark.parametrize("what", BREAKS_UNHEARD)
def test_a_link_is_judged_when_it_is_used(what: str, project: Project, manager: User, reviewer: User) -> None:
    path = reset_link(project, manager, reviewer)
    opened = Client()
    form = opened.get(path, follow=True).redirect_chain[-1][0]

    BREAKS_UNHEARD[what](manager, reviewer)

    assert "This link is no longer valid" in use(path)
    assert "This link is no longer valid" in opened.post(form, CHOSEN).text
    reviewer.refresh_from_db()
    assert not reviewer.has_usable_password()


def test_a_link_for_who_belongs_to_nothing_is_nobodys_to_make(
    project: Project, manager: User, reviewer: User
) -> None:
    path = reset_link(project, manager, reviewer)
    Membership.objects.filter(user=reviewer).delete()
    assert "This link is no longer valid" in use(path)


def test_a_new_password_voids_the_other_links(project: Project, manager: User, reviewer: User) -> None:
    first, second = (reset_link(project, manager, reviewer) for _ in range(2))
    assert "The new password is set" in use(first)
    assert "This link is no longer valid" in use(second)


def test_a_link_of_one_person_opens_no_other_account(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    path = reset_link(project, manager, reviewer)
    of_other = reset_link(project, manager, other_reviewer)
    number = re.search(r"/key/([0-9a-z]+)-", of_other)[1]  # type: ignore[index]
    secret = re.search(r"/key/[0-9a-z]+-(.+)/$", path)[1]  # type: ignore[index]
    mixed = reverse("account_reset_password_from_key", kwargs={"uidb36": number, "key": secret})
    assert "This link is no longer valid" in use(mixed)


@pytest.mark.parametrize("what", ["removed", "reviewer", "closed"])
def test_an_invitation_is_judged_when_it_is_used(
    what: str, project: Project, owner: User, manager: User
) -> None:
    token = invite(project=project, email="second@example.org", role="manager", by=manager).token
    if what == "closed":
        User.objects.filter(pk=manager.pk).update(is_active=False)
    elif what == "removed":
        Membership.objects.filter(user=manager).delete()
    else:
        Membership.objects.filter(user=manager).update(role="reviewer")
    Client().post(f"/invitations/{token}/", {"name": "Second", **CHOSEN})
    assert not User.objects.filter(email="second@example.org").exists()


def test_who_was_removed_does_not_come_back_by_a_second_invitation(
    project: Project, owner: User, manager: User, client_for: Callable[[User | None], Client]
) -> None:
    person = make_user("newcomer")
    first, second = (
        invite(project=project, email=person.email, role="reviewer", by=manager).token for _ in range(2)
    )
    browser = client_for(person)
    assert browser.post(f"/invitations/{first}/").status_code == 302
    remove_member(membership=project.memberships.get(user=person), by=owner)
    assert browser.post(f"/invitations/{second}/").status_code == 404
    assert not project.memberships.filter(user=person).exists()


@pytest.mark.django_db(transaction=True)
def test_a_link_that_is_used_while_its_maker_is_removed_sets_nothing() -> None:
    owner, manager, person = make_user("owner"), make_user("manager"), make_user("reviewer")
    project = make_project("Claims", owner=owner, manager=manager, reviewer=person)
    path = reset_link(project, manager, person)
    browser = Client()
    form = browser.get(path, follow=True).redirect_chain[-1][0]
    is_removed = Event()

    def work(number: int) -> int:
        if number == 0:
            with transaction.atomic():
                remove_member(membership=project.memberships.get(user=manager), by=owner)
                is_removed.set()
                until_somebody_waits()
            return 0
        is_removed.wait(20)
        return int(browser.post(form, CHOSEN).status_code)

    assert at_once(2, work) == [0, ConflictError.status]
    person.refresh_from_db()
    assert not person.has_usable_password()
