"""Who may not review any more holds nothing any more."""

import pytest

from evalapp.accounts.models import Membership, Project, Role, User
from evalapp.accounts.people import anonymise_person
from evalapp.accounts.permissions import PERMISSIONS
from evalapp.accounts.services import change_role, remove_member
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign, CampaignReviewer
from evalapp.campaigns.services import close_campaign
from tests.campaigns.making import make_open_campaign
from tests.reviews.conftest import campaign_reviewer_of, claim, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    """The reviewer holds assignments of it, one of them with a review of theirs."""
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=4, overlap=2)
    submit(campaign, reviewer)
    claim(campaign, reviewer)
    claim(campaign, other_reviewer)
    assert claimed_by_person(reviewer) > 1
    return campaign


def claimed_by_person(person: User) -> int:
    return Assignment.objects.filter(reviewer=person, state=AssignmentState.IN_PROGRESS).count()


def assert_left(campaign: Campaign, person: User) -> None:
    assert claimed_by_person(person) == 0
    assert CampaignReviewer.objects.get(campaign=campaign, user=person).left_at is not None
    assert person.reviews.count() == 1
    assert AuditEvent.objects.filter(action="campaign.reviewer_removed").count() == 1


def test_a_removed_member_leaves_their_campaigns(
    campaign: Campaign, reviewer: User, other_reviewer: User, owner: User
) -> None:
    remove_member(membership=Membership.objects.get(user=reviewer), by=owner)
    assert_left(campaign, reviewer)
    assert campaign_reviewer_of(campaign, other_reviewer).left_at is None and claimed_by_person(
        other_reviewer
    )


def test_a_deleted_person_leaves_their_campaigns(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    anonymise_person(user=reviewer, by=reviewer)
    assert_left(campaign, reviewer)
    assert campaign_reviewer_of(campaign, other_reviewer).left_at is None and claimed_by_person(
        other_reviewer
    )


def test_a_role_that_may_not_review_ends_the_campaign_reviewers(
    campaign: Campaign, reviewer: User, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    membership = Membership.objects.get(user=reviewer)
    change_role(membership=membership, role=Role.MANAGER, by=owner)
    assert claimed_by_person(reviewer)
    monkeypatch.setitem(PERMISSIONS, Role.ENGINEER, frozenset())
    change_role(membership=membership, role=Role.ENGINEER, by=owner)
    assert_left(campaign, reviewer)


def test_a_campaign_reviewer_of_a_closed_campaign_stays_as_it_was(
    campaign: Campaign, reviewer: User, owner: User
) -> None:
    close_campaign(campaign=campaign, by=owner)
    remove_member(membership=Membership.objects.get(user=reviewer), by=owner)
    assert campaign_reviewer_of(campaign, reviewer).left_at is None
