"""The closing question: once a reviewer's part is done, which outputs they believe the tuned model wrote.

Its answers make the unblinding index. They are never said to be right or wrong, because a review can be
amended until the campaign closes; what is shown tells no more than the review screen did.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from evalapp.audit.services import record
from evalapp.campaigns.allocation import NoWork, why_over
from evalapp.campaigns.models import CampaignReviewer, Purpose
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.registry.models import TUNED_KINDS
from evalapp.reviews.models import Belief, ClosingAnswer, Review
from evalapp.reviews.queries import Task, task_for

CLOSING_QUESTION = "Which of these do you think came from the tuned model?"
# Of each kind; few enough to be read again, balanced so that both arms of the index have answers.
ASKED_OF_EACH = 3


class ClosingOutput(NamedTuple):
    """One output that is asked about, by the address the reviewer knows it by."""

    place_key: UUID
    slot: int
    item_output_id: int


class ClosingQuestion(NamedTuple):
    output: ClosingOutput
    task: Task


def asked_outputs(seat: CampaignReviewer) -> list[ClosingOutput]:
    """Up to three outputs of tuned candidates and three of others that this person reviewed, chosen and
    ordered by the campaign's seed; none unless the campaign is blind and they reviewed both kinds.
    """
    campaign = seat.campaign
    if not campaign.is_blind or seat.user.is_simulated:
        return []
    reviewed = Review.objects.filter(
        campaign=campaign, reviewer=seat.user, purpose=Purpose.REVIEW
    ).values_list(
        "place__key", "place__outputs_order", "item_output_id", "item_output__candidate__model_version__kind"
    )
    arms: dict[bool, dict[int, ClosingOutput]] = {True: {}, False: {}}
    for key, order, item_output_id, kind in reviewed.order_by("-pk"):
        # By the output, so that one that was reviewed twice is asked about once.
        output = ClosingOutput(key, order.index(item_output_id), item_output_id)
        arms[kind in TUNED_KINDS][item_output_id] = output
    if not (arms[True] and arms[False]):
        return []

    def drawn(purpose: str, output: ClosingOutput) -> str:
        """A number that nobody can predict from the output's kind or id."""
        return sha256(
            f"{purpose}:{campaign.seed}:{seat.user_id}:{output.item_output_id}".encode()
        ).hexdigest()

    chosen = [
        output
        for arm in arms.values()
        for output in sorted(arm.values(), key=lambda each: drawn("choice", each))[:ASKED_OF_EACH]
    ]
    return sorted(chosen, key=lambda each: drawn("order", each))


def is_asked(seat: CampaignReviewer, no_work: NoWork | None) -> bool:
    """Whether the closing question waits for this reviewer, to whom nothing is handed out any more."""
    if no_work is None or not no_work.is_over or seat.closing_at is not None:
        return False
    return bool(asked_outputs(seat))


def closing_questions(seat: CampaignReviewer) -> list[ClosingQuestion]:
    """What is asked, as the reviewer may see it; empty where nothing is asked now (see `is_asked`)."""
    if not is_asked(seat, why_over(seat)):
        return []
    return [
        ClosingQuestion(
            output,
            task_for(item_output_id=output.item_output_id, campaign=seat.campaign, reviewer=seat.user),
        )
        for output in asked_outputs(seat)
    ]


@transaction.atomic
def answer_closing(*, seat: CampaignReviewer, beliefs: Mapping[tuple[UUID, int], int]) -> int:
    """Store what a reviewer believes, by place key and slot; once and for all. How many answers.

    An output that is left out gets no answer. Raises InvalidError without any, for an unknown belief and
    for an output that is not asked about; ConflictError where the question was answered or declined
    before, or their part is not done yet.
    """
    _end_question(seat)
    asked = {(each.place_key, each.slot): each.item_output_id for each in asked_outputs(seat)}
    if not beliefs:
        raise InvalidError(
            "Choose an answer for at least one of the texts, or leave the question out.",
            fields={"beliefs": ["Choose an answer for at least one of the texts."]},
        )
    for address, belief in beliefs.items():
        if address not in asked:
            raise InvalidError(
                "This is not one of the texts asked about. Load the question again.",
                fields={"beliefs": [f"{address[0]}, {address[1]} is not asked about."]},
            )
        if belief not in Belief.values:
            message = f"{belief!r} is no answer; give a whole number from -2 to 2."
            raise InvalidError(message, fields={"beliefs": [message]})
    ClosingAnswer.objects.bulk_create(
        ClosingAnswer(
            campaign=seat.campaign, item_output_id=asked[address], reviewer=seat.user, belief=belief
        )
        for address, belief in beliefs.items()
    )
    _record(seat, "closing.answered", answers=len(beliefs))
    return len(beliefs)


@transaction.atomic
def decline_closing(*, seat: CampaignReviewer) -> None:
    """Leave the question out; it is not asked again. Raises ConflictError as `answer_closing`."""
    _end_question(seat)
    _record(seat, "closing.declined")


def _end_question(seat: CampaignReviewer) -> None:
    if not is_asked(seat, why_over(seat)):
        raise ConflictError(
            "The closing question is asked once, when your part is done: you have answered it already, or "
            "there is still something to review.",
            code="not_asked",
        )
    waiting = CampaignReviewer.objects.filter(pk=seat.pk, closing_at=None, left_at=None)
    if not waiting.update(closing_at=Now()):
        raise ConflictError("You have answered the closing question already.", code="not_asked")


def _record(seat: CampaignReviewer, action: str, **data: int) -> None:
    campaign = seat.campaign
    record(action, by=seat.user, obj=campaign, project=campaign.project, data=data)
