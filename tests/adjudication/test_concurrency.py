"""Two who decide, request changes, answer or write at the same moment: one does, and the other is told."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.adjudication.appeals import REQUEST, answer_appeal, appeal, appeals_of
from evalapp.adjudication.discussion import write_message
from evalapp.adjudication.models import Adjudication, DiscussionMessage
from evalapp.adjudication.services import AdjudicatedScore, adjudicate
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.core.errors import ConflictError, StaleError
from evalapp.reviews.change_requests import request_changes, withdraw_change_request
from evalapp.reviews.models import ChangeRequest, Review
from tests.adjudication.conftest import make_disputed
from tests.at_once import at_once
from tests.cast import FIXTURES

pytestmark = pytest.mark.django_db(transaction=True)
CLIENTS = 4
owner, manager, engineer, reviewer, other_reviewer, project = FIXTURES


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    """Others see it, so it is made for each test."""
    return make_disputed(project, reviewer, other_reviewer)


def outcomes(found: list[object]) -> tuple[int, set[type]]:
    """How many went through, and what the others were told."""
    refused = [each for each in found if isinstance(each, Exception)]
    return len(found) - len(refused), {type(each) for each in refused}


def test_one_first_decision(disputed: ItemOutput, manager: User, owner: User) -> None:
    campaign = disputed.item.campaign

    def decide(number: int) -> object:
        by = (manager, owner)[number % 2]
        adjudication = AdjudicatedScore(2 + number % 2, f"Reason {number}.")
        return adjudicate(campaign=campaign, item_output=disputed, scores={"tone": adjudication}, by=by)

    assert outcomes(at_once(CLIENTS, decide)) == (1, {StaleError})
    assert Adjudication.objects.get().revision == 1


def test_one_request_and_one_end_of_it(
    disputed: ItemOutput, manager: User, owner: User, reviewer: User
) -> None:
    review = Review.objects.select_related("campaign__project").get(item_output=disputed, reviewer=reviewer)
    found = at_once(
        CLIENTS, lambda number: request_changes(review=review, by=manager, reason=f"Reason {number}.")
    )
    assert outcomes(found) == (1, {ConflictError})
    sent = ChangeRequest.objects.select_related("review__campaign__project").get()
    found = at_once(CLIENTS, lambda _: withdraw_change_request(change_request=sent, by=owner))
    assert outcomes(found) == (1, {ConflictError})


def test_one_appeal_and_one_answer(disputed: ItemOutput, manager: User, owner: User, reviewer: User) -> None:
    review = Review.objects.select_related("campaign__project").get(item_output=disputed, reviewer=reviewer)
    request_changes(review=review, by=manager, reason="Look again.")
    found = at_once(
        CLIENTS, lambda _: appeal(review=review, against=REQUEST, reason="It is right.", by=reviewer)
    )
    assert outcomes(found) == (1, {ConflictError})

    def answer(number: int) -> object:
        one = appeals_of(review.campaign).get()
        outcome = ("upheld", "changed")[number % 2]
        return answer_appeal(appeal=one, by=owner, outcome=outcome, answer=f"Answer {number}.")

    assert outcomes(at_once(CLIENTS, answer)) == (1, {ConflictError})


def test_one_message_of_a_button_pressed_often(disputed: ItemOutput, reviewer: User) -> None:
    campaign = disputed.item.campaign
    at_once(CLIENTS, lambda _: write_message(campaign=campaign, subject=disputed, by=reviewer, text="Once."))
    assert DiscussionMessage.objects.count() == 1
