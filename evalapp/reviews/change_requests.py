"""Change requests: a manager asks a reviewer to look again, and the reviewer amends and resubmits.

It still counts as it is, marked “changes requested”: nothing acknowledged is taken away. All of this is the same
whatever was submitted; how it is called and where it is found, its kind of `BaseChangeRequest` says.
"""

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Case, Model, QuerySet, When
from django.db.models.functions import Now
from psycopg.errors import UniqueViolation

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.allocation import lock_open_campaign
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.reviews.models import BaseChangeRequest
from evalapp.reviews.queries import campaign_reviewers_of
from evalapp.reviews.submitting import RUNNING
from evalapp.reviews.words import checked_words

WAITING_FIRST = ("-waits", "-id")

Request = TypeVar("Request", bound=BaseChangeRequest)


class Given(Protocol):
    """What changes can be requested to: a review, or a judgement."""

    pk: Any
    reviewer_id: Any
    campaign_id: Any
    is_simulated: Any
    change_requests: Any


def kind_of(given: Given) -> type[BaseChangeRequest]:
    kind: type[BaseChangeRequest] = given.change_requests.model
    return kind


def closed_words(kind: type[BaseChangeRequest]) -> str:
    """Why no changes to this kind can be requested any more."""
    return (
        f"This campaign is closed, so its {kind.about}s cannot be changed any more. Adjudicate the "
        f"{kind.subject} instead."
    )


def request_changes(*, given: Given, by: User, reason: str) -> BaseChangeRequest:
    """Ask the author to look at it again, and tell them why.

    Permission is the view's to check. Raises InvalidError without a reason, NotAllowedError for one's own,
    ConflictError after the end of the campaign, where changes are requested already, and where nobody could
    amend it (a simulated reviewer, or one who left the campaign).
    """
    kind = kind_of(given)
    reason = checked_words(reason, field="reason", missing="Say what the reviewer should look at again.")
    if given.reviewer_id == by.pk:
        raise NotAllowedError(
            f"This {kind.about} is your own. Open it under “{kind.listed}” and change it there."
        )
    if given.is_simulated:
        raise ConflictError(
            f"A simulated reviewer gave this {kind.about}; there is nobody who could change it."
        )
    try:
        with transaction.atomic():
            return _store(kind, given, by, reason)
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        raise ConflictError(
            f"Changes to this {kind.about} are requested already and wait for its reviewer. Withdraw that request first to "
            "give another reason."
        ) from error


def _store(kind: type[BaseChangeRequest], given: Given, by: User, reason: str) -> BaseChangeRequest:
    lock_open_campaign(given.campaign_id)
    campaign = Campaign.objects.select_related("project").get(pk=given.campaign_id)
    if campaign.state not in RUNNING:
        raise ConflictError(closed_words(kind))
    campaign_reviewers = CampaignReviewer.objects.filter(
        campaign=campaign, user=given.reviewer_id, left_at=None
    )
    if not campaign_reviewers.exists():
        raise ConflictError(
            f"This reviewer has left the campaign, so they cannot change their {kind.about} any more."
        )
    # Locked, so that an amendment under way is either what changes are requested to, or answers the request.
    table: Any = type(given)
    stored = table.objects.select_for_update(of=("self",)).get(pk=given.pk)
    change_request: BaseChangeRequest = stored.change_requests.create(
        revision=stored.revision, reason=reason, requested_by=by
    )
    record(
        f"{kind.about}.changes_requested",
        by=by,
        obj=stored,
        project=campaign.project,
        data={"campaign": campaign.pk, "revision": change_request.revision, "reason": reason},
    )
    return change_request


@transaction.atomic
def withdraw_change_request(*, change_request: BaseChangeRequest, by: User) -> None:
    """It needs no second look after all. ConflictError where it was resubmitted or withdrawn already."""
    waiting = type(change_request)._default_manager.filter(pk=change_request.pk, resolved_at=None)
    if not waiting.update(resolved_at=Now(), is_withdrawn=True):
        raise ConflictError(
            f"This is settled already: the {change_request.about} was resubmitted, or the request withdrawn."
        )
    _tell("change_request_withdrawn", change_request.given, by, change_request.revision)


def resubmitted(*, given: Given, by: User, revision: int) -> None:
    """An amendment answers the open request, where there is one.

    Call it in the transaction of the amendment, which holds the row of what is amended.
    """
    if given.change_requests.filter(resolved_at=None).update(
        resolved_at=Now(), resubmitted_revision=revision
    ):
        _tell("resubmitted", given, by, revision)


def _tell(what: str, given: Any, by: User, revision: int) -> None:
    record(
        f"{kind_of(given).about}.{what}",
        by=by,
        obj=given,
        project=given.campaign.project,
        data={"campaign": given.campaign_id, "revision": revision},
    )


def require_changed(given: Given) -> None:
    """An edit that changes nothing answers no request: InvalidError where one waits."""
    if waits_for_reviewer(given):
        kind = kind_of(given)
        raise InvalidError(
            f"Nothing is changed yet. Changes to this {kind.about} were requested: change it and submit it again, or open its "
            "discussion and appeal if it is right as it stands."
        )


def waits_for_reviewer(given: Given) -> BaseChangeRequest | None:
    """The open request about it, if there is one."""
    found: BaseChangeRequest | None = given.change_requests.filter(resolved_at=None).first()
    return found


def change_requests_to(user: User, kind: type[Request]) -> QuerySet[Request]:
    """What this person was asked to look at again and still can, oldest first."""
    about = kind.about
    mine = {
        f"{about}__reviewer": user,
        f"{about}__campaign__state__in": RUNNING,
        f"{about}__campaign__reviewers__in": campaign_reviewers_of(user).values("pk"),
    }
    return (
        kind._default_manager.filter(resolved_at=None, **mine)
        .select_related(
            f"{about}__campaign__project", f"{about}__assignment", f"{about}__{kind.path}__example"
        )
        .order_by("pk")
    )


def waiting_among(given: Iterable[Model], kind: type[Request]) -> dict[int, Request]:
    """The requests that wait for their reviewer, by the id of what they are about."""
    among = {f"{kind.about}__in": [each.pk for each in given]}
    waiting = kind._default_manager.filter(resolved_at=None, **among)
    return {getattr(each, f"{kind.about}_id"): each for each in waiting}


def change_requests_of(campaign: Campaign, kind: type[Request]) -> QuerySet[Any]:
    """All of a campaign's; page them by `WAITING_FIRST`."""
    about = kind.about
    return (
        kind._default_manager.filter(**{f"{about}__campaign": campaign})
        .select_related(f"{about}__{kind.path}__example", f"{about}__reviewer", "requested_by")
        .annotate(waits=Case(When(resolved_at=None, then=1), default=0))
    )
