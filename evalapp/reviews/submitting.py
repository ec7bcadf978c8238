"""Stores a review exactly once, whatever its kind.

A replay returns the stored review. After a lost lease or the campaign's end the text is saved as a draft. A
late review still counts while the assignment is available.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from evalapp.audit.services import record
from evalapp.campaigns.allocation import fill_slot, lock_open_campaign, reclaim_assignment
from evalapp.campaigns.checks import plan_repeat
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign, CampaignState
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.reviews.drafts import DraftPlace, draft_body, keep_as_draft
from evalapp.reviews.kinds import kind_of
from evalapp.reviews.models import Review
from evalapp.reviews.queries import ReviewContext

RUNNING_STATES = (CampaignState.OPEN, CampaignState.PAUSED)
NOT_COUNTED = ", so this is not counted. Your text is kept."
NOT_CHANGED = ", so its reviews cannot be changed any more."


class LeaseLostError(ConflictError):
    """The assignment went to another reviewer meanwhile (409)."""

    code = "lease_lost"


class CampaignClosedError(ConflictError):
    """The campaign no longer accepts reviews (409)."""

    code = "campaign_closed"

    def __init__(self, campaign: Campaign, consequence: str) -> None:
        when = f" on {campaign.closed_at:%-d %B %Y at %H:%M} UTC" if campaign.closed_at else ""
        super().__init__(f"This campaign was closed{when}{consequence}")


@dataclass(frozen=True)
class Submission:
    """A reviewer's answers at a slot; ``checked`` by the review kind of the campaign."""

    review_context: ReviewContext
    client_id: UUID
    checked: Any
    seconds_active: float
    is_simulated: bool

    @property
    def subject(self) -> dict[str, int]:
        """The reviewed output or comparison, as a filter of reviews."""
        return {
            f"{kind_of(self.review_context.assignment.campaign).subject}_id": self.review_context.subject_id
        }

    @property
    def fingerprint(self) -> str:
        """Distinguishes a replay from another submission for the same subject."""
        return str(self.checked.answers.fingerprint())

    def store(self) -> Review:
        """Store the review with its audit event, and delete its draft. Needs an open transaction and the
        filled slot.
        """
        assignment, person = self.review_context.assignment, self.review_context.campaign_reviewer.user
        campaign = assignment.campaign
        kind = kind_of(campaign)
        review = Review(
            campaign=campaign,
            assignment=assignment,
            reviewer=person,
            purpose=assignment.purpose,
            client_id=self.client_id,
            body_hash=self.fingerprint,
            comment=self.checked.answers.comment,
            seconds_active=self.seconds_active,
            is_simulated=self.is_simulated,
            **self.subject,
        )
        kind.store(review, self.checked)
        where = {
            "campaign": campaign.pk,
            "assignment": assignment.pk,
            kind.subject: self.review_context.subject_id,
        }
        record("review.submitted", by=person, obj=review, project=campaign.project, data=where)
        return review

    def keep(self) -> None:
        """Save the refused answers as the reviewer's draft."""
        keep_answers(self.review_context, self.checked.answers)


def draft_of_context(review_context: ReviewContext) -> DraftPlace:
    campaign = review_context.assignment.campaign
    kind = kind_of(campaign)
    outputs = kind.outputs_at(review_context)
    return DraftPlace(
        review_context.campaign_reviewer.user, campaign.pk, kind.subject, review_context.subject_id, outputs
    )


def keep_answers(review_context: ReviewContext, answers: Any) -> None:
    """Save refused answers as the reviewer's draft, replacing any other."""
    storable = kind_of(review_context.assignment.campaign).storable(answers)
    keep_as_draft(draft_of_context(review_context), draft_body(storable.as_dict(), 0.0))


def require_demonstration(campaign: Campaign, *, is_simulated: bool) -> None:
    """Raise InvalidError for a simulated submission outside demonstration projects."""
    if is_simulated and not campaign.project.is_demonstration:
        raise InvalidError("Simulated reviews are for demonstration projects only; this is not one.")


def submit_once(submission: Submission) -> tuple[Review, bool]:
    """Store a submission, or find its stored review; returns the review and whether this is a replay.

    Raises ConflictError if another submission for the same subject is stored, LeaseLostError if another
    reviewer has the assignment, CampaignClosedError; in the last two cases the text is saved as a draft.
    """
    assignment, campaign_reviewer = (
        submission.review_context.assignment,
        submission.review_context.campaign_reviewer,
    )
    try:
        with transaction.atomic():
            lock_open_campaign(assignment.campaign_id)
            if _fill(submission):
                stored = submission.store()
                if submission.is_simulated and not assignment.campaign.is_simulated:
                    unmarked = Campaign.objects.filter(pk=assignment.campaign_id, is_simulated=False)
                    unmarked.update(is_simulated=True)
                plan_repeat(assignment=assignment, campaign_reviewer=campaign_reviewer)
                return stored, False
    except IntegrityError as error:
        # Another request with the same client id was faster, in this or another assignment.
        if (found := _conflicting_review(submission)) is None:
            raise ConflictError("Somebody else changed this at the same time. Submit it again.") from error
        return _replay_or_refuse(found, submission)
    if (found := _conflicting_review(submission)) is not None:
        return _replay_or_refuse(found, submission)
    submission.keep()
    campaign = Campaign.objects.only("state", "closed_at").get(pk=assignment.campaign_id)
    if campaign.state not in RUNNING_STATES:
        raise CampaignClosedError(campaign, NOT_COUNTED)
    raise _lease_lost()


def _fill(submission: Submission) -> bool:
    """Fill the slot. A late submission counts if nobody has taken the assignment since its lease expired."""
    assignment, slot, campaign_reviewer = submission.review_context
    seconds = submission.seconds_active
    if fill_slot(assignment=assignment, slot=slot, reviewer=campaign_reviewer.user, seconds_active=seconds):
        return True
    now = (
        Assignment.objects.filter(pk=assignment.pk, campaign__state__in=RUNNING_STATES)
        .values("state", "open_slots")
        .first()
    )
    if now is None or now["state"] != AssignmentState.AVAILABLE or slot not in now["open_slots"]:
        return False
    if not reclaim_assignment(assignment=assignment, campaign_reviewer=campaign_reviewer):
        return False
    return fill_slot(
        assignment=assignment, slot=slot, reviewer=campaign_reviewer.user, seconds_active=seconds
    )


def _conflicting_review(submission: Submission) -> Review | None:
    """The conflicting review: with the same client id, else of the same output or comparison."""
    given = Review.objects.select_related("assignment")
    by_client = given.filter(client_id=submission.client_id).first()
    return (
        by_client
        or given.filter(assignment=submission.review_context.assignment, **submission.subject).first()
    )


def _replay_or_refuse(stored: Review, submission: Submission) -> tuple[Review, bool]:
    asked = {
        "assignment_id": submission.review_context.assignment.pk,
        "reviewer_id": submission.review_context.campaign_reviewer.user_id,
        **submission.subject,
    }
    facts = {name: getattr(stored, name) for name in asked}
    if facts == asked:
        if stored.body_hash == submission.fingerprint:
            return stored, True
        raise ConflictError(
            "You have already submitted this item with other answers; the first submission is kept. "
            "Open it under “My submitted reviews” to change it.",
            code="already_submitted",
        )
    if stored.client_id == submission.client_id:
        raise ConflictError(
            "This client_id belongs to another submission. Use a new one for each review.",
            code="client_id_reused",
        )
    submission.keep()
    raise _lease_lost()


def _lease_lost() -> LeaseLostError:
    return LeaseLostError(
        "This item is no longer assigned to you: the lease ran out, or somebody else has it. Your review was"
        " not counted; your text is kept. Continue with the next item."
    )
