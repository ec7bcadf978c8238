"""Change requests: a manager asks a reviewer to change a review, and the reviewer amends and resubmits it.

Meanwhile the review counts unchanged, marked “changes requested”, so that no submitted work is lost.
"""

from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import Case, QuerySet, When
from django.db.models.functions import Now
from psycopg.errors import UniqueViolation

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.allocation import lock_open_campaign
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.reviews.models import ChangeRequest, Review
from evalapp.reviews.queries import campaign_reviewers_of
from evalapp.reviews.submitting import RUNNING_STATES
from evalapp.reviews.words import checked_words

WAITING_FIRST = ("-waits", "-id")


def closed_message(campaign: Campaign) -> str:
    """The reason why changes to the campaign's reviews can no longer be requested."""
    subject = "comparison" if campaign.compares else "output"
    return (
        f"This campaign is closed, so its reviews cannot be changed any more. Adjudicate the {subject}"
        " instead."
    )


def request_changes(*, review: Review, by: User, reason: str) -> ChangeRequest:
    """Ask a review's author to change it, for a stated reason.

    The view checks permission. Raises InvalidError without a reason, NotAllowedError for one's own review,
    ConflictError if the campaign has ended, changes are already requested, or nobody can amend it (simulated
    reviewer, or one who left the campaign).
    """
    reason = checked_words(reason, field="reason", missing="Say what the reviewer should check again.")
    if review.reviewer_id == by.pk:
        raise NotAllowedError(
            "This review is your own. Open it under “My submitted reviews” and change it there."
        )
    if review.is_simulated:
        raise ConflictError("A simulated reviewer gave this review, so nobody can change it.")
    try:
        with transaction.atomic():
            return _store(review, by, reason)
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        raise ConflictError(
            "Changes to this review are already requested. Withdraw that request first to give another"
            " reason."
        ) from error


def _store(review: Review, by: User, reason: str) -> ChangeRequest:
    lock_open_campaign(review.campaign_id)
    campaign = Campaign.objects.select_related("project").get(pk=review.campaign_id)
    if campaign.state not in RUNNING_STATES:
        raise ConflictError(closed_message(campaign))
    campaign_reviewers = CampaignReviewer.objects.filter(
        campaign=campaign, user=review.reviewer_id, left_at=None
    )
    if not campaign_reviewers.exists():
        raise ConflictError(
            "This reviewer has left the campaign, so they cannot change their review any more."
        )
    # Locked, so that a concurrent amendment is either covered by this request or answers it.
    stored = Review.objects.select_for_update(of=("self",)).get(pk=review.pk)
    change_request = stored.change_requests.create(revision=stored.revision, reason=reason, requested_by=by)
    record(
        "review.changes_requested",
        by=by,
        obj=stored,
        project=campaign.project,
        data={"campaign": campaign.pk, "revision": change_request.revision, "reason": reason},
    )
    return change_request


@transaction.atomic
def withdraw_change_request(*, change_request: ChangeRequest, by: User) -> None:
    """Withdraw a request. Raises ConflictError if it has been resubmitted or withdrawn."""
    waiting = ChangeRequest.objects.filter(pk=change_request.pk, resolved_at=None)
    if not waiting.update(resolved_at=Now(), is_withdrawn=True):
        raise ConflictError("This is settled already: the review was resubmitted, or the request withdrawn.")
    _record_event("change_request_withdrawn", change_request.review, by, change_request.revision)


def resubmitted(*, review: Review, by: User, revision: int) -> None:
    """Close the open change request, if any, because of an amendment.

    Must be called in the amendment's transaction, which holds the lock on the review.
    """
    if review.change_requests.filter(resolved_at=None).update(
        resolved_at=Now(), resubmitted_revision=revision
    ):
        _record_event("resubmitted", review, by, revision)


def _record_event(what: str, review: Review, by: User, revision: int) -> None:
    record(
        f"review.{what}",
        by=by,
        obj=review,
        project=review.campaign.project,
        data={"campaign": review.campaign_id, "revision": revision},
    )


def require_changed(review: Review) -> None:
    """Raise InvalidError if a change request is open, since an unchanged edit does not answer it."""
    if open_change_request(review):
        raise InvalidError(
            "The review is unchanged. Changes to it were requested: change it and submit it again, or appeal"
            " in its discussion if it is right."
        )


def open_change_request(review: Review) -> ChangeRequest | None:
    """The review's open change request, or None."""
    return review.change_requests.filter(resolved_at=None).first()


def change_requests_to(user: User) -> QuerySet[ChangeRequest]:
    """Open change requests to this person that they can still answer, oldest first."""
    return (
        ChangeRequest.objects.filter(
            resolved_at=None,
            review__reviewer=user,
            review__campaign__state__in=RUNNING_STATES,
            review__campaign__reviewers__in=campaign_reviewers_of(user).values("pk"),
        )
        .select_related("review__campaign__project", "review__assignment__item__example")
        .order_by("pk")
    )


def open_change_requests_among(reviews: Iterable[Review]) -> dict[int, ChangeRequest]:
    """Open change requests by review id."""
    waiting = ChangeRequest.objects.filter(resolved_at=None, review__in=[each.pk for each in reviews])
    return {each.review_id: each for each in waiting}


def change_requests_of(campaign: Campaign) -> QuerySet[ChangeRequest]:
    """All of a campaign's change requests; page them by `WAITING_FIRST`."""
    return (
        ChangeRequest.objects.filter(review__campaign=campaign)
        .select_related("review__assignment__item__example", "review__reviewer", "requested_by")
        .annotate(waits=Case(When(resolved_at=None, then=1), default=0))
    )
