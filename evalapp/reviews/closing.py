"""The closing question: after a campaign is closed, a reviewer guesses which outputs came from a tuned model.

The answers give the unblinding index. Neither whether it is asked nor the outputs depend on the kinds of
candidates: otherwise a blind reviewer could infer them, which could affect their next reviews. It is asked
when nothing can be submitted or amended any more, and answers are never called right or wrong.
"""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from evalapp.accounts.models import Membership
from evalapp.accounts.permissions import Permission, allows
from evalapp.audit.services import record
from evalapp.campaigns.models import CampaignReviewer, CampaignState, Purpose
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.reviews.models import Belief, ClosingAnswer, Review
from evalapp.reviews.queries import Task, task_for

CLOSING_QUESTION = "Which of these do you think came from a tuned model?"
# Few enough to be read again.
MOST_ASKED_OUTPUTS = 6
# Later, people no longer remember what they thought.
QUESTION_PERIOD = timedelta(days=30)


class ClosingOutput(NamedTuple):
    """One output that the question is about, by the URL parts under which the reviewer saw it."""

    assignment_key: UUID
    slot: int
    item_output_id: int


class ClosingQuestion(NamedTuple):
    output: ClosingOutput
    task: Task


def drawn_outputs(campaign_reviewer: CampaignReviewer) -> list[ClosingOutput]:
    """Up to six outputs that this person reviewed, drawn by the campaign's seed independently of their
    candidates.
    """
    reviewed = Review.objects.filter(
        campaign=campaign_reviewer.campaign, reviewer=campaign_reviewer.user, purpose=Purpose.REVIEW
    ).values_list("assignment__key", "assignment__outputs_order", "item_output_id")
    # By output, so that one that was reviewed twice is asked about once.
    outputs = {
        item_output_id: ClosingOutput(key, order.index(item_output_id), item_output_id)
        for key, order, item_output_id in reviewed.order_by("-pk")
    }

    def drawn(output: ClosingOutput) -> str:
        """A pseudorandom sort key that cannot be predicted from the output's id."""
        return sha256(
            f"{campaign_reviewer.campaign.seed}:{campaign_reviewer.user_id}:{output.item_output_id}".encode()
        ).hexdigest()

    return sorted(outputs.values(), key=drawn)[:MOST_ASKED_OUTPUTS]


def is_asked(campaign_reviewer: CampaignReviewer) -> bool:
    """Whether the closing question is open for this reviewer: in a blind campaign of ratings, for 30 days
    after its end, if they have reviews in it. Not if their role shows them the results, which may reveal the
    answer.
    """
    campaign = campaign_reviewer.campaign
    if campaign.state != CampaignState.CLOSED or not campaign.is_blind:
        return False
    if (
        campaign_reviewer.closing_at is not None
        or campaign_reviewer.user.is_simulated
        or not campaign_reviewer.reviews_done
    ):
        return False
    if campaign.closed_at is None or campaign.closed_at < timezone.now() - QUESTION_PERIOD:
        return False
    roles = Membership.objects.filter(project=campaign.project_id, user=campaign_reviewer.user_id)
    if any(allows(role, Permission.VIEW_ANALYSIS) for role in roles.values_list("role", flat=True)):
        return False
    return not campaign.compares


def closing_questions(campaign_reviewer: CampaignReviewer) -> list[ClosingQuestion]:
    """The questions with what the reviewer may see; empty if nothing is asked now (see `is_asked`)."""
    if not is_asked(campaign_reviewer):
        return []
    return [
        ClosingQuestion(
            output,
            task_for(
                item_output_id=output.item_output_id,
                campaign=campaign_reviewer.campaign,
                reviewer=campaign_reviewer.user,
            ),
        )
        for output in drawn_outputs(campaign_reviewer)
    ]


@transaction.atomic
def answer_closing(*, campaign_reviewer: CampaignReviewer, beliefs: Mapping[tuple[UUID, int], int]) -> int:
    """Store a reviewer's beliefs by assignment key and slot, once and for all; returns their number.

    Outputs may be left out. Raises InvalidError without any answer, for an unknown belief and for an output
    that is not asked about; ConflictError if the question was answered or declined, or is not asked now.
    """
    _end_question(campaign_reviewer)
    asked = {
        (each.assignment_key, each.slot): each.item_output_id for each in drawn_outputs(campaign_reviewer)
    }
    if not beliefs:
        raise InvalidError(
            "Choose an answer for at least one of the texts, or leave the question out.",
            fields={"beliefs": ["Choose an answer for at least one of the texts."]},
        )
    for address, belief in beliefs.items():
        if address not in asked:
            raise InvalidError(
                "This is not one of the texts in the question. Load it again.",
                fields={"beliefs": [f"{address[0]}, {address[1]} is not asked about."]},
            )
        if belief not in Belief.values:
            raise InvalidError(
                f"{belief!r} is not an answer; give a whole number from -2 to 2.", field="beliefs"
            )
    ClosingAnswer.objects.bulk_create(
        ClosingAnswer(
            campaign=campaign_reviewer.campaign,
            item_output_id=asked[address],
            reviewer=campaign_reviewer.user,
            belief=belief,
        )
        for address, belief in beliefs.items()
    )
    _record(campaign_reviewer, "closing.answered", answers=len(beliefs))
    return len(beliefs)


@transaction.atomic
def decline_closing(*, campaign_reviewer: CampaignReviewer) -> None:
    """Decline the question, so that it is not asked again. Raises ConflictError as `answer_closing`."""
    _end_question(campaign_reviewer)
    _record(campaign_reviewer, "closing.declined")


def _end_question(campaign_reviewer: CampaignReviewer) -> None:
    if not is_asked(campaign_reviewer):
        raise ConflictError(
            "The closing question is asked once, within 30 days after the campaign is closed: you have"
            " answered it already, or it is not asked now.",
            code="not_asked",
        )
    waiting = CampaignReviewer.objects.filter(pk=campaign_reviewer.pk, closing_at=None, left_at=None)
    if not waiting.update(closing_at=Now()):
        raise ConflictError("You have answered the closing question already.", code="not_asked")


def _record(campaign_reviewer: CampaignReviewer, action: str, **data: int) -> None:
    campaign = campaign_reviewer.campaign
    record(action, by=campaign_reviewer.user, obj=campaign, project=campaign.project, data=data)
