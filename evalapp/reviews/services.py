"""Write operations on reviews: exactly once, atomic, audited.

One transaction per submission covers the assignment's slot, the reviewer's count, the review with its
answers, the audit event, and the deletion of its draft. A replay returns the stored review.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.allocation import lock_open_campaign
from evalapp.campaigns.leases import renew_assignment
from evalapp.campaigns.models import Assignment, Campaign, CampaignState
from evalapp.campaigns.services import give_back
from evalapp.core.errors import ConflictError, InvalidError, MissingError, StaleError
from evalapp.core.strict_json import bad_character
from evalapp.reviews.answers import LONGEST_SKIP_REASON
from evalapp.reviews.change_requests import require_changed, resubmitted
from evalapp.reviews.drafts import draft_body, save_draft
from evalapp.reviews.kinds import kind_of
from evalapp.reviews.masking import masked_answers
from evalapp.reviews.models import Draft, Review, ReviewRevision
from evalapp.reviews.queries import NOT_YOURS, ReviewContext, TakenOffError
from evalapp.reviews.submitting import (
    NOT_CHANGED,
    NOT_COUNTED,
    RUNNING_STATES,
    CampaignClosedError,
    LeaseLostError,
    Submission,
    draft_of_context,
    keep_answers,
    require_demonstration,
    submit_once,
)


@dataclass(frozen=True)
class SubmitResult:
    """The stored review. ``is_replay``: this submission was already stored, and nothing was written."""

    review: Review
    is_replay: bool = False


def submit_at(
    *,
    review_context: ReviewContext,
    client_id: UUID,
    answers: Any,
    seconds_active: float = 0.0,
    is_simulated: bool = False,
) -> SubmitResult:
    """Store a review at an assignment's slot, for a campaign reviewer who has been read and authorised;
    ``answers``: of the campaign's review kind.

    Raises InvalidError (fields as in the kind's ``check``), ConflictError if another review of the subject is
    stored, LeaseLostError if another reviewer has the assignment, CampaignClosedError; in the last two cases
    the text is saved as a draft.
    """
    campaign = review_context.assignment.campaign
    require_demonstration(campaign, is_simulated=is_simulated)
    checked = kind_of(campaign).check(
        masked_answers(campaign, review_context.assignment, answers),
        assignment=review_context.assignment,
        subject_id=review_context.subject_id,
    )
    return SubmitResult(
        *submit_once(Submission(review_context, client_id, checked, seconds_active, is_simulated))
    )


@transaction.atomic
def amend_review(*, review: Review, by: User, answers: Any, revision: int) -> Review:
    """Replace a review's answers; the earlier ones are stored as a revision.

    ``revision``: the one that the edit is based on. An edit without changes, or sent again after a lost
    response, stores nothing. An edit answers an open change request; without changes it raises InvalidError
    then. Raises StaleError if another edit has replaced the revision, CampaignClosedError after the end,
    InvalidError as the kind's ``check``, MissingError for another person's review.
    """
    if review.reviewer_id != by.pk:
        raise MissingError(NOT_YOURS)
    campaign = review.campaign
    kind = kind_of(campaign)
    checked = kind.check(
        masked_answers(campaign, review.assignment, answers),
        assignment=review.assignment,
        subject_id=review.subject_id,
    )
    lock_open_campaign(campaign.pk)
    # Locked, so that the stored revision is exactly the one that this edit replaces.
    stored = kind.with_answers(Review.objects.select_for_update(of=("self",))).get(pk=review.pk)
    # Read again now that the row is locked.
    before = kind.answers_of(kind.with_answers(Review.objects.all()).get(pk=review.pk))
    says_so = before.fingerprint() == checked.answers.fingerprint()
    current = Review.objects.filter(pk=review.pk, revision=revision, campaign__state__in=RUNNING_STATES)
    if says_so and current.exists():
        require_changed(stored)
        return stored
    if not current.update(revision=F("revision") + 1, revised_at=Now(), comment=checked.answers.comment):
        if says_so and stored.revision == revision + 1:
            return stored
        campaign.refresh_from_db(fields=["state", "closed_at"])
        if campaign.state not in RUNNING_STATES:
            raise CampaignClosedError(campaign, NOT_CHANGED)
        raise StaleError(
            "This review was changed in another tab or window since you opened it. Your text is kept on this"
            " page: open the review again, compare, and submit it again."
        )
    ReviewRevision.objects.create(review=review, revision=revision, body=before.as_dict(), replaced_by=by)
    # The draft is kept: it can only belong to a second, unfinished assignment of the same subject.
    kind.replace(review, checked)
    record("review.amended", by=by, obj=review, project=campaign.project, data={"revision": revision + 1})
    resubmitted(review=review, by=by, revision=revision + 1)
    review.refresh_from_db()
    return review


def reopen_last_review(*, reviewer: User, campaign: Campaign) -> Review:
    """The person's latest review in the campaign, to be opened again and changed.

    A submitted review is never deleted: it is undone by amending, so that nothing acknowledged is lost.
    Raises MissingError before the first review, CampaignClosedError after the end.
    """
    is_campaign_reviewer = campaign.reviewers.filter(user=reviewer, left_at=None).exists()
    mine = campaign.reviews.filter(reviewer=reviewer).select_related("assignment").order_by("-id")
    latest = mine.first() if is_campaign_reviewer else None
    if latest is None:
        raise MissingError("You have not submitted anything here yet.")
    if campaign.state not in RUNNING_STATES:
        raise CampaignClosedError(campaign, NOT_CHANGED)
    return latest


@transaction.atomic
def skip_item(*, reviewer: User, assignment: Assignment, reason: str) -> None:
    """Release the assignment for others and never offer the item to this reviewer again.

    Their submitted reviews of it stay. Raises InvalidError without a reason, LeaseLostError if they have not
    claimed the assignment.
    """
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_SKIP_REASON or bad_character(reason):
        raise InvalidError(f"Give a reason, in at most {LONGEST_SKIP_REASON} characters.", field="reason")
    if not give_back(assignment=assignment, reviewer=reviewer, reason=reason):
        if assignment.campaign.state == CampaignState.CLOSED:
            raise CampaignClosedError(assignment.campaign, ", so this item is no longer expected.")
        raise LeaseLostError("This item is no longer assigned to you; continue with the next one.")
    of_item = Q(item_output__item=assignment.item_id) | Q(comparison__item=assignment.item_id)
    Draft.objects.filter(of_item, reviewer=reviewer).delete()
    record(
        "item.skipped",
        by=reviewer,
        obj=assignment,
        project=assignment.campaign.project,
        data={"campaign": assignment.campaign_id, "item": assignment.item_id, "reason": reason},
    )


def keep_draft_of_removed(review_context: ReviewContext, answers: Any) -> TakenOffError:
    """Save as a draft what a removed reviewer tries to submit or amend; returns the error to raise."""
    assert review_context.campaign_reviewer.left_at is not None
    keep_answers(review_context, answers)
    return TakenOffError(review_context.campaign_reviewer.left_at, is_kept=True)


class KeptDraft(NamedTuple):
    """``is_claimed``: the assignment is still the reviewer's."""

    revision: int
    saved_at: datetime
    is_claimed: bool


def keep_draft(
    *, review_context: ReviewContext, answers: Any, seconds_active: float, revision: int
) -> KeptDraft:
    """Save the reviewer's draft and extend the lease of the assignment. ``revision``: of the draft that it is
    based on (0: none).

    Raises CampaignClosedError after the end, with the draft saved. Saves nothing and raises ConflictError for
    a submitted review or another reviewer's assignment, InvalidError for a too long draft, DraftConflictError
    if another tab has saved since.
    """
    campaign = review_context.assignment.campaign
    is_closed = campaign.state == CampaignState.CLOSED
    if not review_context.is_open and not is_closed:
        raise ConflictError(
            "This item is already submitted, or assigned to somebody else.", code="not_claimed"
        )
    kind = kind_of(campaign)
    answers = kind.storable(answers)
    kind.check_draft(answers)
    saved = save_draft(
        draft_of_context(review_context), draft_body(answers.as_dict(), seconds_active), revision=revision
    )
    if is_closed:
        raise CampaignClosedError(campaign, NOT_COUNTED)
    return KeptDraft(
        *saved,
        is_claimed=renew_assignment(
            assignment=review_context.assignment, reviewer=review_context.campaign_reviewer.user
        ),
    )
