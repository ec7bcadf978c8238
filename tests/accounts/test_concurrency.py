"""Links, accounts and memberships that several requests are after at the same moment."""

import pytest
from django.test import Client

from evalapp.accounts.invitations import invite
from evalapp.accounts.models import Invitation, Membership, User
from evalapp.audit.models import AuditEvent
from tests.at_once import at_once
from tests.cast import client_of, make_project, make_user

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
    for link in links:
        client_of(person).post(link)
    assert person.memberships.count() == 2
    assert not Invitation.objects.filter(accepted_at=None).exists()
