"""The closing question: when a campaign is closed, which outputs a reviewer believes to be a tuned model's.

Its answers make the unblinding index. Neither that it is asked nor what it asks about depends on the kinds of
the candidates: what a blind reviewer learns of the one from the other could move their next reviews. It is
asked when nothing can be submitted or amended any more, and no answer is said to be right or wrong.
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
MOST_ASKED = 6
# Later nobody remembers what they thought.
ASKED_FOR = timedelta(days=30)


class ClosingOutput(NamedTuple):
    """One output that is asked about, by the address the reviewer knows it by."""

    assignment_key: UUID
    slot: int
    item_output_id: int


class ClosingQuestion(NamedTuple):
    output: ClosingOutput
    task: Task


def asked_outputs(campaign_reviewer: CampaignReviewer) -> list[ClosingOutput]:
    """Up to six of the outputs that this person reviewed, drawn by the campaign's seed
    whatever wrote them.
    """
    reviewed = Review.objects.filter(
        campaign=campaign_reviewer.campaign, reviewer=campaign_reviewer.user, purpose=Purpose.REVIEW
    ).values_list("assignment__key", "assignment__outputs_order", "item_output_id")
    # By the output, so that one that was reviewed twice is asked about once.
    outputs = {
        item_output_id: ClosingOutput(key, order.index(item_output_id), item_output_id)
        for key, order, item_output_id in reviewed.order_by("-pk")
    }

    def drawn(output: ClosingOutput) -> str:
        """A number that nobody can predict from the output's id."""
        return sha256(
            f"{campaign_reviewer.campaign.seed}:{campaign_reviewer.user_id}:{output.item_output_id}".encode()
        ).hexdigest()

    return sorted(outputs.values(), key=drawn)[:MOST_ASKED]


def is_asked(campaign_reviewer: CampaignReviewer) -> bool:
    """Whether the closing question waits for this reviewer: of a blind campaign, for 30 days from its end,
    whoever reviewed in it. Not where their role shows them the results, from which they can know.
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
    if campaign.closed_at is None or campaign.closed_at < timezone.now() - ASKED_FOR:
        return False
    roles = Membership.objects.filter(project=campaign.project_id, user=campaign_reviewer.user_id)
    if any(allows(role, Permission.VIEW_ANALYSIS) for role in roles.values_list("role", flat=True)):
        return False
    return not campaign.compares


def closing_questions(campaign_reviewer: CampaignReviewer) -> list[ClosingQuestion]:
    """What is asked, as the reviewer may see it; empty where nothing is asked now (see `is_asked`)."""
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
        for output in asked_outputs(campaign_reviewer)
    ]


@transaction.atomic
def answer_closing(*, campaign_reviewer: CampaignReviewer, beliefs: Mapping[tuple[UUID, int], int]) -> int:
    """Store what a reviewer believes, by assignment key and slot; once and for all. How many answers.

    An output that is left out gets no answer. Raises InvalidError without any, for an unknown belief and
    for an output that is not asked about; ConflictError where the question was answered or declined
    before, or is not asked yet.
    """
    _end_question(campaign_reviewer)
    asked = {
        (each.assignment_key, each.slot): each.item_output_id for each in asked_outputs(campaign_reviewer)
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
    """Leave the question out; it is not asked again. Raises ConflictError as `answer_closing`."""
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
