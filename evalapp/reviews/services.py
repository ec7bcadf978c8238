"""Writes of reviews: exactly once, whole, audited.

One submission is one transaction: the assignment's slot, the reviewer's count, the review, its scores,
tags and correction, the audit event, and the end of its draft. A replay finds the stored review.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import F, Model, QuerySet
from django.db.models.functions import Now

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.allocation import lock_open_campaign
from evalapp.campaigns.leases import renew_assignment
from evalapp.campaigns.models import (
    Assignment,
    Campaign,
    CampaignReviewer,
    CampaignState,
    ItemOutput,
)
from evalapp.campaigns.services import give_back
from evalapp.core.errors import ConflictError, InvalidError, MissingError, StaleError
from evalapp.core.strict_json import bad_character
from evalapp.reviews.answers import (
    LONGEST_SKIP_REASON,
    CheckedAnswers,
    ReviewAnswers,
    check_answers,
    criteria_of,
)
from evalapp.reviews.change_requests import require_changed, resubmitted
from evalapp.reviews.drafts import SavedDraft, keep_text, save_draft
from evalapp.reviews.models import (
    Correction,
    Draft,
    Review,
    ReviewRevision,
    ReviewTag,
    Score,
    SpanAnswer,
    TextAnswer,
)
from evalapp.reviews.queries import ANSWERS, Stand, TakenOffError, answers_of
from evalapp.reviews.storing import store_answers, store_review
from evalapp.reviews.submitting import (
    NOT_CHANGED,
    NOT_COUNTED,
    RUNNING,
    CampaignClosedError,
    LeaseLostError,
    Submission,
    require_demonstration,
    submit_once,
)

Latest = TypeVar("Latest", bound=Model)


@dataclass(frozen=True)
class SubmitResult:
    """``is_replay``: the same submission had been stored before; nothing was written now."""

    review: Review
    is_replay: bool = False


def submit_review(
    *,
    reviewer: User,
    assignment: Assignment,
    item_output: ItemOutput,
    client_id: UUID,
    answers: ReviewAnswers,
    seconds_active: float = 0.0,
    is_simulated: bool = False,
) -> SubmitResult:
    """Store a review of one output of an assignment that the reviewer has claimed.

    Raises InvalidError (fields named as in `check_answers`), MissingError for an output of another
    assignment, ConflictError where another review of it is stored, LeaseLostError where the assignment went to
    somebody else, CampaignClosedError; in the last three cases the text is kept as a draft.
    """
    if item_output.pk not in assignment.outputs_order:
        raise MissingError("This output is not part of this assignment.")
    campaign_reviewer = CampaignReviewer.objects.filter(
        campaign=assignment.campaign_id, user=reviewer, left_at=None
    ).first()
    if campaign_reviewer is None:
        raise MissingError("There is no such review work, or it is not yours.")
    return submit_at(
        campaign_reviewer=campaign_reviewer,
        assignment=assignment,
        slot=assignment.outputs_order.index(item_output.pk),
        client_id=client_id,
        answers=answers,
        seconds_active=seconds_active,
        is_simulated=is_simulated or reviewer.is_simulated,
    )


def submit_at(
    *,
    campaign_reviewer: CampaignReviewer,
    assignment: Assignment,
    slot: int,
    client_id: UUID,
    answers: ReviewAnswers,
    seconds_active: float = 0.0,
    is_simulated: bool = False,
) -> SubmitResult:
    """`submit_review` by slot, for a campaign reviewer who has been read and authorised."""
    campaign = assignment.campaign
    if campaign.compares:
        raise InvalidError("This campaign compares answers; it takes judgements, not reviews of one answer.")
    require_demonstration(campaign, is_simulated=is_simulated)
    checked = _checked(answers, campaign, assignment.outputs_order[slot])
    submission = ReviewSubmission(
        campaign_reviewer, assignment, slot, client_id, seconds_active, is_simulated, checked
    )
    return SubmitResult(*submit_once(submission))


@dataclass(frozen=True)
class ReviewSubmission(Submission[Review]):
    another = "other answers"
    listed = "My submitted"
    unit = "review"
    claimed = "item"
    model = Review

    checked: CheckedAnswers

    @property
    def shown(self) -> dict[str, int]:
        return {"item_output_id": self.assignment.outputs_order[self.slot]}

    def fingerprint(self) -> str:
        return self.checked.answers.fingerprint()

    def store(self) -> Review:
        campaign = self.assignment.campaign
        review = Review(
            campaign=campaign,
            assignment=self.assignment,
            reviewer=self.campaign_reviewer.user,
            purpose=self.assignment.purpose,
            client_id=self.client_id,
            body_hash=self.fingerprint(),
            comment=self.checked.answers.comment,
            seconds_active=self.seconds_active,
            is_simulated=self.is_simulated,
            **self.shown,
        )
        store_review(review, self.checked)
        record(
            "review.submitted",
            by=self.campaign_reviewer.user,
            obj=review,
            project=campaign.project,
            data={
                "campaign": campaign.pk,
                "assignment": self.assignment.pk,
                "item_output": review.item_output_id,
            },
        )
        return review

    def keep(self) -> None:
        keep_text(
            campaign_reviewer=self.campaign_reviewer,
            assignment=self.assignment,
            slot=self.slot,
            answers=self.checked.answers,
        )


def _checked(answers: ReviewAnswers, campaign: Campaign, item_output_id: int) -> CheckedAnswers:
    output_text = None
    if answers.correction is not None or answers.spans:
        output_text = ItemOutput.objects.values_list("output__text", flat=True).get(pk=item_output_id)
    return check_answers(
        answers,
        criteria=criteria_of(campaign.rubric_version),
        allows_corrections=campaign.allows_corrections,
        output_text=output_text,
    )


@transaction.atomic
def amend_review(*, review: Review, by: User, answers: ReviewAnswers, revision: int) -> Review:
    """Replace what a review says; what it said before stays as a revision.

    ``revision`` is the one that the edit is based on. An edit that changes nothing stores nothing, and
    neither does the same edit once more, because its answer was lost on the way. It answers the request
    of a review with a change request; InvalidError where it changes nothing of one. Raises StaleError where another edit has replaced the revision,
    CampaignClosedError after the end, InvalidError as `check_answers`, MissingError for another's.
    """
    if review.reviewer_id != by.pk:
        raise MissingError("There is no such review, or it is not yours.")
    campaign = review.campaign
    checked = _checked(answers, campaign, review.item_output_id)
    lock_open_campaign(campaign.pk)
    # Locked, so that what is kept as the revision is what this edit replaces.
    stored = (
        Review.objects.select_for_update(of=("self",))
        .select_related("correction")
        .prefetch_related(*ANSWERS)
        .get(pk=review.pk)
    )
    current = Review.objects.filter(pk=review.pk, revision=revision, campaign__state__in=RUNNING)
    if current.exists() and _says(stored.pk, checked.answers):
        require_changed(stored)
        return stored
    changed = current.update(revision=F("revision") + 1, revised_at=Now(), comment=checked.answers.comment)
    if not changed:
        if stored.revision == revision + 1 and _says(stored.pk, checked.answers):
            return stored
        campaign.refresh_from_db(fields=["state", "closed_at"])
        if campaign.state not in RUNNING:
            raise CampaignClosedError(campaign, NOT_CHANGED)
        raise StaleError(
            "This review was changed in another tab or window since you opened it. Your text is kept on "
            "this page: open the review again, compare, and send it once more."
        )
    ReviewRevision.objects.create(
        review=review, revision=revision, body=answers_of(stored).as_dict(), replaced_by=by
    )
    Score.objects.filter(review=review).delete()
    ReviewTag.objects.filter(review=review).delete()
    TextAnswer.objects.filter(review=review).delete()
    SpanAnswer.objects.filter(review=review).delete()
    Correction.objects.filter(review=review).delete()
    # A draft of this output can only be of a second assignment of it, which is not over.
    store_answers(review, checked)
    record("review.amended", by=by, obj=review, project=campaign.project, data={"revision": revision + 1})
    resubmitted(given=review, by=by, revision=revision + 1)
    review.refresh_from_db()
    return review


def _says(review_id: int, answers: ReviewAnswers) -> bool:
    """Whether this is what the review says now; read anew, after its row was locked."""
    review = Review.objects.select_related("correction").prefetch_related(*ANSWERS).get(pk=review_id)
    return answers_of(review).fingerprint() == answers.fingerprint()


def undo_last(*, reviewer: User, campaign: Campaign) -> Review:
    """The latest review of this person here, to be opened again and changed.

    A submitted review is never taken away: undoing it means amending it, so that nothing
    acknowledged is lost. Raises MissingError before the first, CampaignClosedError after the end.
    """
    return latest_of(campaign.reviews.all(), reviewer=reviewer, campaign=campaign)


def latest_of(given: QuerySet[Latest], *, reviewer: User, campaign: Campaign) -> Latest:
    """`undo_last` among what was ``given`` in the campaign."""
    is_campaign_reviewer = campaign.reviewers.filter(user=reviewer, left_at=None).exists()
    mine = given.filter(reviewer=reviewer).select_related("assignment").order_by("-id")
    latest = mine.first() if is_campaign_reviewer else None
    if latest is None:
        raise MissingError("You have not submitted anything here yet.")
    if campaign.state not in RUNNING:
        raise CampaignClosedError(campaign, NOT_CHANGED)
    return latest


@transaction.atomic
def skip_item(*, reviewer: User, assignment: Assignment, reason: str) -> None:
    """Give the assignment to somebody else and do not offer the item to this reviewer again.

    What they submitted of it already stays. Raises InvalidError without a reason, LeaseLostError
    where they have not claimed the assignment.
    """
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_SKIP_REASON or bad_character(reason):
        message = f"Say why, in at most {LONGEST_SKIP_REASON} characters."
        raise InvalidError(message, fields={"reason": [message]})
    if not give_back(assignment=assignment, reviewer=reviewer, reason=reason):
        if assignment.campaign.state == CampaignState.CLOSED:
            raise CampaignClosedError(assignment.campaign, ", so nothing of it is waited for any more.")
        raise LeaseLostError("This item is no longer assigned to you; go on with the next one.")
    Draft.objects.filter(reviewer=reviewer, item_output__item=assignment.item_id).delete()
    record(
        "item.skipped",
        by=reviewer,
        obj=assignment,
        project=assignment.campaign.project,
        data={"campaign": assignment.campaign_id, "item": assignment.item_id, "reason": reason},
    )


def keep_of_left(stand: Stand, answers: ReviewAnswers) -> TakenOffError:
    """Keep as a draft what somebody submits or amends who was taken off the campaign; what to tell them."""
    keep_text(
        campaign_reviewer=stand.campaign_reviewer,
        assignment=stand.assignment,
        slot=stand.slot,
        answers=answers,
    )
    return kept_of_left(stand)


def kept_of_left(stand: Stand) -> TakenOffError:
    assert stand.campaign_reviewer.left_at is not None
    return TakenOffError(stand.campaign_reviewer.left_at, is_kept=True)


class KeptDraft(NamedTuple):
    """``is_claimed``: the assignment is still the reviewer's."""

    revision: int
    saved_at: datetime
    is_claimed: bool


def keep_draft(*, stand: Stand, answers: ReviewAnswers, seconds_active: float, revision: int) -> KeptDraft:
    """`save_draft` for what the reviewer works on, which keeps the assignment theirs.

    Raises CampaignClosedError after the end, with the draft kept; ConflictError, with nothing kept, for
    one that is submitted or went to somebody else.
    """

    def save() -> SavedDraft:
        return save_draft(
            reviewer=stand.campaign_reviewer.user,
            item_output_id=stand.item_output_id,
            answers=answers,
            seconds_active=seconds_active,
            revision=revision,
        )

    return keep_claimed(stand, save)


def keep_claimed(stand: Stand, save: Callable[[], SavedDraft]) -> KeptDraft:
    """`keep_draft` for a draft of any kind."""
    campaign = stand.assignment.campaign
    is_closed = campaign.state == CampaignState.CLOSED
    if not stand.is_open and not is_closed:
        raise ConflictError("This one is submitted, or went to somebody else.", code="not_claimed")
    saved = save()
    if is_closed:
        raise CampaignClosedError(campaign, NOT_COUNTED)
    return KeptDraft(
        *saved, is_claimed=touch(assignment=stand.assignment, reviewer=stand.campaign_reviewer.user)
    )


def touch(*, assignment: Assignment, reviewer: User) -> bool:
    """The reviewer is at work on this assignment: renew its lease; whether it is still theirs."""
    return renew_assignment(assignment=assignment, reviewer=reviewer)
