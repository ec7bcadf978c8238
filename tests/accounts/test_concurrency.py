"""Links, accounts and memberships that several requests are after at the same moment."""

from threading import Event

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from evalapp.accounts.invitations import NewInvitation, invite
from evalapp.accounts.models import Invitation, Membership, User
from evalapp.accounts.people import anonymise_person
from evalapp.accounts.services import remove_member
from evalapp.audit.models import AuditEvent
from evalapp.audit.services import record
from evalapp.core.errors import NotAllowedError
from tests.at_once import at_once, until_somebody_waits
from tests.cast import client_of, make_project, make_user
from tests.traces import traces_of

pytestmark = pytest.mark.django_db(transaction=True)

NEW_PERSON = {"name": "New", "password1": "a quiet harbour 9", "password2": "a quiet harbour 9"}


def invited(project_name: str, email: str) -> str:
    """The address of a link that lets somebody in."""
    owner = make_user(f"owner of {project_name}")
    made = invite(project=make_project(project_name, owner=owner), email=email, role="reviewer", by=owner)
    return f"/invitations/{made.token}/"


def test_one_link_used_five_times_at_once_makes_one_account() -> None:
    link = invited("Claims", "new@example.org")

    responses = at_once(5, lambda _: Client().post(link, NEW_PERSON))

    statuses = sorted(response.status_code for response in responses)
    # Whoever comes late enough finds the link used (404), or the account there (302 to the sign-in).
    assert statuses.count(500) == 0 and {*statuses} <= {302, 404, 409}
    assert all("sign in" in response.text for response in responses if response.status_code == 409)
    assert User.objects.filter(email="new@example.org").count() == 1
    assert Membership.objects.filter(user__email="new@example.org").count() == 1
    assert AuditEvent.objects.filter(action="invitation.accepted").count() == 1


def test_two_links_for_one_address_at_once_make_one_account_and_keep_the_other_link() -> None:
    links = [invited("Claims", "new@example.org"), invited("Letters", "new@example.org")]

    responses = at_once(2, lambda number: Client().post(links[number], NEW_PERSON))

    assert {response.status_code for response in responses} <= {302, 409}
    person = User.objects.get(email="new@example.org")
    User.objects.update(email_verified_at=timezone.now())
    for link in links:
        client_of(person).post(link)
    assert person.memberships.count() == 2
    assert not Invitation.objects.filter(accepted_at=None).exists()


def test_a_link_made_while_its_maker_is_removed_lets_nobody_in() -> None:
    owner, manager = make_user("owner"), make_user("manager")
    project = make_project("Claims", owner=owner, manager=manager)

    def work(number: int) -> None:
        if number:
            invite(project=project, email=f"new{number}@example.org", role="manager", by=manager)
        else:
            remove_member(membership=project.memberships.get(user=manager), by=owner)

    results = at_once(5, work)

    assert {type(result) for result in results} <= {type(None), NewInvitation, NotAllowedError}
    assert not Invitation.objects.filter(revoked_at=None).exists()


def test_an_event_under_way_when_a_persons_data_is_deleted_does_not_keep_their_name() -> None:
    person = make_user("somebody unlike")
    is_written = Event()

    def work(number: int) -> None:
        if number == 0:
            with transaction.atomic():
                record("run.started", by=person)
                is_written.set()
                until_somebody_waits()
        else:
            is_written.wait(20)
            anonymise_person(user=person, by=person)

    assert [result for result in at_once(2, work) if isinstance(result, Exception)] == []

    assert traces_of("Somebody Unlike") + traces_of("somebody.unlike") == []
