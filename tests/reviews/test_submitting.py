"""A submission is stored exactly once and nothing typed is lost, whether it rates an answer or compares
answers.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.leases import return_lapsed_assignments
from evalapp.campaigns.models import Assignment, AssignmentState
from evalapp.campaigns.services import close_campaign, pause_campaign, resume_campaign
from evalapp.core.errors import ConflictError, MissingError
from evalapp.reviews.submitting import CampaignClosedError, LeaseLostError
from tests.at_once import at_once
from tests.campaigns.making import make_team
from tests.reviews.desks import ComparingDesk, RatingDesk

Desk = RatingDesk | ComparingDesk
KINDS = pytest.mark.parametrize("kind", [RatingDesk, ComparingDesk])


@pytest.fixture
def desk(db: None, kind: Callable[..., Desk], project: Project, reviewer: User, other_reviewer: User) -> Desk:
    return kind(project, [reviewer, other_reviewer], rows=4, overlap=2)


def lapse(assignment_id: int) -> None:
    # Long ago: the database's now is the beginning of the test's transaction.
    Assignment.objects.filter(pk=assignment_id).update(lease_expires_at=timezone.now() - timedelta(hours=1))


def counted(desk: Desk, person: User) -> int:
    return int(desk.campaign.reviewers.get(user=person).reviews_done)


@KINDS
def test_a_replay_answers_with_what_is_stored_and_writes_nothing(desk: Desk, reviewer: User) -> None:
    claimed, client_id = desk.take(reviewer), uuid4()
    stored, _ = desk.give(reviewer, claimed, client_id=client_id)
    assert desk.give(reviewer, claimed, client_id=client_id) == (stored, True)
    assert (desk.given.count(), counted(desk, reviewer)) == (1, 1)


@KINDS
def test_something_else_of_the_same_conflicts_and_the_first_stands(desk: Desk, reviewer: User) -> None:
    claimed, client_id = desk.take(reviewer), uuid4()
    desk.give(reviewer, claimed, client_id=client_id)
    for sent_as in (client_id, uuid4()):
        with pytest.raises(ConflictError) as refused:
            desk.give(reviewer, claimed, said="Otherwise.", client_id=sent_as)
        assert refused.value.code == "already_submitted"
    assert desk.given.get().comment == "Once."


@KINDS
def test_a_client_id_cannot_serve_two(desk: Desk, reviewer: User) -> None:
    client_id = uuid4()
    desk.give(reviewer, client_id=client_id)
    following = desk.take(reviewer)
    with pytest.raises(ConflictError) as refused:
        desk.give(reviewer, following, client_id=client_id)
    assert refused.value.code == "client_id_reused"
    assert following.slot in Assignment.objects.get(pk=desk.assignment_of(following)).open_slots
    assert counted(desk, reviewer) == 1


@KINDS
def test_a_late_one_counts_while_the_assignment_is_free(desk: Desk, reviewer: User) -> None:
    claimed = desk.take(reviewer)
    assignment = Assignment.objects.filter(pk=desk.assignment_of(claimed))
    lapse(assignment.get().pk)
    return_lapsed_assignments()
    assert assignment.get().state == AssignmentState.AVAILABLE
    assert desk.give(reviewer, claimed)[1] is False
    assert assignment.get().reviewer == reviewer


@KINDS
def test_once_another_has_the_assignment_it_is_refused_and_the_text_kept(
    kind: Callable[..., Desk], project: Project, reviewer: User, other_reviewer: User, db: None
) -> None:
    desk = kind(project, [reviewer, other_reviewer], rows=1, overlap=1)
    claimed = desk.take(reviewer)
    lapse(desk.assignment_of(claimed))
    return_lapsed_assignments()
    desk.take(other_reviewer)
    with pytest.raises(LeaseLostError, match="is no longer assigned to you"):
        desk.give(reviewer, claimed, said="Mine.")
    assert desk.drafts.get(reviewer=reviewer).body["comment"] == "Mine."
    assert not desk.given.exists()


@KINDS
def test_paused_it_takes_what_is_at_hand_and_closed_it_keeps_the_text(
    desk: Desk, reviewer: User, owner: User
) -> None:
    claimed = desk.take(reviewer)
    pause_campaign(campaign=desk.campaign, by=owner)
    stored, _ = desk.give(reviewer, claimed)
    assert desk.undo(reviewer) == stored
    resume_campaign(campaign=desk.campaign, by=owner)
    following = desk.take(reviewer)
    close_campaign(campaign=desk.campaign, by=owner)
    with pytest.raises(CampaignClosedError):
        desk.give(reviewer, following, said="Late.")
    assert desk.drafts.get().body["comment"] == "Late."
    with pytest.raises(CampaignClosedError):
        desk.undo(reviewer)


@KINDS
def test_undo_opens_the_latest(desk: Desk, reviewer: User, other_reviewer: User, stranger: User) -> None:
    with pytest.raises(MissingError):
        desk.undo(reviewer)
    desk.give(reviewer)
    latest, _ = desk.give(reviewer)
    desk.give(other_reviewer)
    assert desk.undo(reviewer) == latest
    with pytest.raises(MissingError):
        desk.undo(stranger)


def alone(kind: Callable[..., Desk]) -> tuple[Desk, User, Any]:
    project, (person,) = make_team(1)
    desk = kind(project, [person], rows=1, overlap=1)
    return desk, person, desk.take(person)


@pytest.mark.django_db(transaction=True)
@KINDS
def test_fifty_parallel_submits_of_one_submission_store_one(kind: Callable[..., Desk]) -> None:
    desk, person, claimed = alone(kind)
    client_id = uuid4()
    results = at_once(50, lambda _: desk.give(person, claimed, client_id=client_id))
    assert sorted(is_replay for _, is_replay in results) == [False] + [True] * 49
    assert desk.given.count() == counted(desk, person) == 1


@pytest.mark.django_db(transaction=True)
@KINDS
def test_fifty_parallel_submits_that_differ_store_one(kind: Callable[..., Desk]) -> None:
    desk, person, claimed = alone(kind)
    results = at_once(50, lambda number: desk.give(person, claimed, said=f"{number}"))
    stored = [result for result in results if not isinstance(result, Exception)]
    assert len(stored) == 1
    assert all(type(result) is ConflictError for result in results if isinstance(result, Exception))
    assert desk.given.get().comment == stored[0][0].comment
