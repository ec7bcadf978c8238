"""Judgements sent back: a manager asks a reviewer to look again, and the reviewer amends and resubmits.

As `reviews.send_backs`: what is sent back still counts as it is, marked as sent back.
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
from evalapp.judgements.models import Judgement, JudgementSendBack
from evalapp.reviews.queries import seats_of
from evalapp.reviews.words import checked_words

_RUNNING = (CampaignState.OPEN, CampaignState.PAUSED)


def send_back_judgement(*, judgement: Judgement, by: User, reason: str) -> JudgementSendBack:
    """Ask the judgement's author to look at it again, and tell them why.

    Permission is the view's to check. Raises InvalidError without a reason, NotAllowedError for one's own,
    ConflictError after the end of the campaign, where it is sent back already, and where nobody could
    amend it (a simulated reviewer, or one who left the campaign).
    """
    reason = checked_words(reason, field="reason", missing="Say what the reviewer should look at again.")
    if judgement.reviewer_id == by.pk:
        raise NotAllowedError(
            "This judgement is your own. Open it under “My comparisons” and change it there."
        )
    if judgement.is_simulated:
        raise ConflictError("A simulated reviewer gave this judgement; there is nobody to send it back to.")
    try:
        with transaction.atomic():
            return _store(judgement, by, reason)
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        raise ConflictError(
            "This judgement is sent back already and waits for its reviewer. Withdraw that first to give another "
            "reason."
        ) from error


def _store(judgement: Judgement, by: User, reason: str) -> JudgementSendBack:
    lock_open_campaign(judgement.campaign_id)
    campaign = Campaign.objects.select_related("project").get(pk=judgement.campaign_id)
    if campaign.state not in _RUNNING:
        raise ConflictError("This campaign is closed, so its judgements cannot be changed any more.")
    seats = CampaignReviewer.objects.filter(campaign=campaign, user=judgement.reviewer_id, left_at=None)
    if not seats.exists():
        raise ConflictError(
            "This reviewer has left the campaign, so they cannot change their judgement any more."
        )
    # Locked, so that an amendment under way is either what is sent back, or answers it.
    revision = Judgement.objects.select_for_update().values_list("revision", flat=True).get(pk=judgement.pk)
    sent = JudgementSendBack.objects.create(judgement=judgement, revision=revision, reason=reason, sent_by=by)
    record(
        "judgement.sent_back",
        by=by,
        obj=judgement,
        project=campaign.project,
        data={"campaign": campaign.pk, "revision": revision, "reason": reason},
    )
    return sent


@transaction.atomic
def withdraw_judgement(*, sent: JudgementSendBack, by: User) -> None:
    """It needs no second look after all. ConflictError where it was resubmitted or withdrawn already."""
    if not _end(sent.judgement_id, is_withdrawn=True, pk=sent.pk):
        raise ConflictError(
            "This is settled already: the judgement was resubmitted, or the request withdrawn."
        )
    record(
        "judgement.send_back_withdrawn",
        by=by,
        obj=sent.judgement,
        project=sent.judgement.campaign.project,
        data={"campaign": sent.judgement.campaign_id, "revision": sent.revision},
    )


def judgement_resubmitted(*, judgement: Judgement, by: User, revision: int) -> bool:
    """An amendment answers the judgement's open request, where there is one; whether there was.

    Call it in the transaction of the amendment, which holds the judgement's row.
    """
    if not _end(judgement.pk, resubmitted_revision=revision):
        return False
    record(
        "judgement.resubmitted",
        by=by,
        obj=judgement,
        project=judgement.campaign.project,
        data={"campaign": judgement.campaign_id, "revision": revision},
    )
    return True


def _end(judgement_id: int, pk: int | None = None, **how: object) -> bool:
    waiting = JudgementSendBack.objects.filter(judgement=judgement_id, resolved_at=None)
    if pk is not None:
        waiting = waiting.filter(pk=pk)
    return bool(waiting.update(resolved_at=Now(), **how))


def judgement_waits(judgement: Judgement) -> JudgementSendBack | None:
    """The open request about this judgement, if there is one."""
    return JudgementSendBack.objects.filter(judgement=judgement, resolved_at=None).first()


def judgements_sent_back_to(user: User) -> QuerySet[JudgementSendBack]:
    """What this person was asked to look at again and still can, oldest first."""
    return (
        JudgementSendBack.objects.filter(
            resolved_at=None,
            judgement__reviewer=user,
            judgement__campaign__state__in=_RUNNING,
            judgement__campaign__reviewers__in=seats_of(user).values("pk"),
        )
        .select_related(
            "judgement__campaign__project", "judgement__place", "judgement__comparison__item__example"
        )
        .order_by("pk")
    )


def judgements_waiting(judgements: Iterable[Judgement]) -> set[int]:
    """The ids of those that wait for their reviewer."""
    ids = [judgement.pk for judgement in judgements]
    waiting = JudgementSendBack.objects.filter(judgement__in=ids, resolved_at=None)
    return set(waiting.values_list("judgement", flat=True))


def judgement_send_backs_of(campaign: Campaign) -> QuerySet[JudgementSendBack]:
    """All of a campaign's; page them by `reviews.send_backs.WAITING_FIRST`."""
    return (
        JudgementSendBack.objects.filter(judgement__campaign=campaign)
        .select_related("judgement__comparison__item__example", "judgement__reviewer", "sent_by")
        .annotate(waits=Case(When(resolved_at=None, then=1), default=0))
    )
