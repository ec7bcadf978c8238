"""Reviews sent back: a manager asks a reviewer to look again, and the reviewer amends and resubmits.

A review that is sent back still counts as it is, marked as sent back: nothing acknowledged is taken away.
"""

from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import Case, QuerySet, When
from django.db.models.functions import Now
from psycopg.errors import UniqueViolation

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.allocation import lock_open_campaign
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.core.errors import ConflictError, NotAllowedError
from evalapp.reviews.models import Review, SendBack
from evalapp.reviews.queries import seats_of
from evalapp.reviews.words import checked_words

WAITING_FIRST = ("-waits", "-id")
_RUNNING = (CampaignState.OPEN, CampaignState.PAUSED)


def send_back(*, review: Review, by: User, reason: str) -> SendBack:
    """Ask the review's author to look at it again, and tell them why.

    Permission is the view's to check. Raises InvalidError without a reason, NotAllowedError for one's own,
    ConflictError after the end of the campaign, where it is sent back already, and where nobody could
    amend it (a simulated reviewer, or one who left the campaign).
    """
    reason = checked_words(reason, field="reason", missing="Say what the reviewer should look at again.")
    if review.reviewer_id == by.pk:
        raise NotAllowedError("This review is your own. Open it under “My submitted” and change it there.")
    if review.is_simulated:
        raise ConflictError("A simulated reviewer gave this review; there is nobody to send it back to.")
    try:
        with transaction.atomic():
            return _store(review, by, reason)
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        raise ConflictError(
            "This review is sent back already and waits for its reviewer. Withdraw that first to give another reason."
        ) from error


def _store(review: Review, by: User, reason: str) -> SendBack:
    lock_open_campaign(review.campaign_id)
    campaign = Campaign.objects.select_related("project").get(pk=review.campaign_id)
    if campaign.state not in _RUNNING:
        raise ConflictError(
            "This campaign is closed, so its reviews cannot be changed any more. Adjudicate the output instead."
        )
    seats = CampaignReviewer.objects.filter(campaign=campaign, user=review.reviewer_id, left_at=None)
    if not seats.exists():
        raise ConflictError(
            "This reviewer has left the campaign, so they cannot change their review any more."
        )
    # Locked, so that an amendment under way is either what is sent back, or answers it.
    revision = Review.objects.select_for_update().values_list("revision", flat=True).get(pk=review.pk)
    sent = SendBack.objects.create(review=review, revision=revision, reason=reason, sent_by=by)
    record(
        "review.sent_back",
        by=by,
        obj=review,
        project=campaign.project,
        data={"campaign": campaign.pk, "revision": revision, "reason": reason},
    )
    return sent


@transaction.atomic
def withdraw_send_back(*, sent: SendBack, by: User) -> None:
    """The review needs no second look after all. ConflictError where it was resubmitted or withdrawn already."""
    if not _end(sent.review_id, is_withdrawn=True, pk=sent.pk):
        raise ConflictError("This is settled already: the review was resubmitted, or the request withdrawn.")
    record(
        "review.send_back_withdrawn",
        by=by,
        obj=sent.review,
        project=sent.review.campaign.project,
        data={"campaign": sent.review.campaign_id, "revision": sent.revision},
    )


def resubmitted(*, review: Review, by: User, revision: int) -> bool:
    """An amendment answers the review's open request, where there is one; whether there was.

    Call it in the transaction of the amendment, which holds the review's row.
    """
    if not _end(review.pk, resubmitted_revision=revision):
        return False
    record(
        "review.resubmitted",
        by=by,
        obj=review,
        project=review.campaign.project,
        data={"campaign": review.campaign_id, "revision": revision},
    )
    return True


def _end(review_id: int, pk: int | None = None, **how: object) -> bool:
    waiting = SendBack.objects.filter(review=review_id, resolved_at=None)
    if pk is not None:
        waiting = waiting.filter(pk=pk)
    return bool(waiting.update(resolved_at=Now(), **how))


def waits_for_reviewer(review: Review) -> SendBack | None:
    """The open request about this review, if there is one."""
    return SendBack.objects.filter(review=review, resolved_at=None).first()


def sent_back_to(user: User) -> QuerySet[SendBack]:
    """What this person was asked to look at again and still can, oldest first."""
    return (
        SendBack.objects.filter(
            resolved_at=None,
            review__reviewer=user,
            review__campaign__state__in=_RUNNING,
            review__campaign__reviewers__in=seats_of(user).values("pk"),
        )
        .select_related("review__campaign__project", "review__place", "review__item_output__item__example")
        .order_by("pk")
    )


def reviews_waiting(reviews: Iterable[Review]) -> set[int]:
    """The ids of those that wait for their reviewer."""
    ids = [review.pk for review in reviews]
    return set(SendBack.objects.filter(review__in=ids, resolved_at=None).values_list("review", flat=True))


def send_backs_of(campaign: Campaign) -> QuerySet[SendBack]:
    """All of a campaign's; page them by `WAITING_FIRST`."""
    return (
        SendBack.objects.filter(review__campaign=campaign)
        .select_related("review__item_output__item__example", "review__reviewer", "sent_by")
        .annotate(waits=Case(When(resolved_at=None, then=1), default=0))
    )
