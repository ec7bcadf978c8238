"""A submission is stored exactly once, whether it rates an answer or compares answers.

What it says is a `Submission`'s; that a replay finds what is stored, that a lost lease or a closed campaign
keeps the text, and that a late one counts while the assignment is available, is the same for all and stands here.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Model

from evalapp.campaigns.allocation import fill_slot, lock_open_campaign, take_again
from evalapp.campaigns.checks import plan_repeat
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign, CampaignReviewer, CampaignState
from evalapp.core.errors import ConflictError, InvalidError

RUNNING = (CampaignState.OPEN, CampaignState.PAUSED)
NOT_COUNTED = ", so this is not counted. Your text is kept."
NOT_CHANGED = ", so its reviews cannot be changed any more."


class Kept(Protocol):
    """A submission as it lies in its table."""

    body_hash: Any
    client_id: Any


Stored = TypeVar("Stored", bound=Kept)


class LeaseLostError(ConflictError):
    """The assignment went to somebody else meanwhile (409)."""

    code = "lease_lost"


class CampaignClosedError(ConflictError):
    """The campaign takes no reviews any more (409)."""

    code = "campaign_closed"

    def __init__(self, campaign: Campaign, consequence: str) -> None:
        when = f" on {campaign.closed_at:%-d %B %Y at %H:%M} UTC" if campaign.closed_at else ""
        super().__init__(f"This campaign was closed{when}{consequence}")


@dataclass(frozen=True)
class Submission(ABC, Generic[Stored]):
    """What one reviewer says at one slot of an assignment that they hold.

    Its words: ``another`` is what a second, different one has, ``listed`` where the first is found, ``unit``
    what is submitted and ``claimed`` what is assigned to the reviewer.
    """

    another: ClassVar[str]
    listed: ClassVar[str]
    unit: ClassVar[str]
    claimed: ClassVar[str]
    model: ClassVar[type[Model]]

    campaign_reviewer: CampaignReviewer
    assignment: Assignment
    slot: int
    client_id: UUID
    seconds_active: float
    is_simulated: bool

    @property
    @abstractmethod
    def shown(self) -> dict[str, int]:
        """What the slot shows, as a filter of ``model``."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Tells a replay from another submission of the same."""

    @abstractmethod
    def store(self) -> Stored:
        """Write it, its audit event and the end of its draft; the slot is filled, a transaction is open."""

    @abstractmethod
    def keep(self) -> None:
        """Keep what was refused as the reviewer's draft."""


def require_demonstration(campaign: Campaign, *, is_simulated: bool) -> None:
    """InvalidError for a simulated submission to a project that is no demonstration."""
    if is_simulated and not campaign.project.is_demonstration:
        raise InvalidError("Simulated reviews are for demonstration projects only; this is none.")


def submit_once(submission: Submission[Stored]) -> tuple[Stored, bool]:
    """Store it, or find what was stored of it before; whether it was such a replay.

    Raises ConflictError where another submission of the same is stored, LeaseLostError where the assignment went
    to somebody else, CampaignClosedError; in the last two cases the text is kept as a draft.
    """
    assignment, campaign_reviewer = submission.assignment, submission.campaign_reviewer
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
        # Another request with the same client id was quicker, at this assignment or at another.
        if (found := _stored(submission)) is None:
            raise ConflictError(
                "Somebody else changed this at the same moment. Send it once more."
            ) from error
        return _replay_or_refuse(found, submission)
    if (found := _stored(submission)) is not None:
        return _replay_or_refuse(found, submission)
    submission.keep()
    campaign = Campaign.objects.only("state", "closed_at").get(pk=assignment.campaign_id)
    if campaign.state not in RUNNING:
        raise CampaignClosedError(campaign, NOT_COUNTED)
    raise _lease_lost(submission)


def _fill(submission: Submission[Stored]) -> bool:
    """Fill the slot. A late submission counts if nobody has taken the assignment since its lease ran out."""
    assignment, slot, campaign_reviewer = submission.assignment, submission.slot, submission.campaign_reviewer
    seconds = submission.seconds_active
    if fill_slot(assignment=assignment, slot=slot, reviewer=campaign_reviewer.user, seconds_active=seconds):
        return True
    now = (
        Assignment.objects.filter(pk=assignment.pk, campaign__state__in=RUNNING)
        .values("state", "open_slots")
        .first()
    )
    if now is None or now["state"] != AssignmentState.AVAILABLE or slot not in now["open_slots"]:
        return False
    if not take_again(assignment=assignment, campaign_reviewer=campaign_reviewer):
        return False
    return fill_slot(
        assignment=assignment, slot=slot, reviewer=campaign_reviewer.user, seconds_active=seconds
    )


def _stored(submission: Submission[Stored]) -> Stored | None:
    """What stands in the way: of the same submission first, else of the same output or comparison."""
    given = submission.model._default_manager.select_related("assignment")
    by_client = given.filter(client_id=submission.client_id).first()
    found = by_client or given.filter(assignment=submission.assignment, **submission.shown).first()
    return cast("Stored | None", found)


def _replay_or_refuse(stored: Stored, submission: Submission[Stored]) -> tuple[Stored, bool]:
    asked = {
        "assignment_id": submission.assignment.pk,
        "reviewer_id": submission.campaign_reviewer.user_id,
        **submission.shown,
    }
    facts = {name: getattr(stored, name) for name in asked}
    if facts == asked:
        if stored.body_hash == submission.fingerprint():
            return stored, True
        raise ConflictError(
            f"You have submitted this one already, with {submission.another}; the first is kept. "
            f"Open it under “{submission.listed}” to change it.",
            code="already_submitted",
        )
    if stored.client_id == submission.client_id:
        raise ConflictError(
            f"This client_id belongs to another submission. Make a new one for each {submission.unit}.",
            code="client_id_reused",
        )
    submission.keep()
    raise _lease_lost(submission)


def _lease_lost(submission: Submission[Stored]) -> LeaseLostError:
    return LeaseLostError(
        f"This {submission.claimed} is no longer assigned to you: the lease ran out, or somebody else has it. So this "
        "was not counted. Your text is kept; go on with the next one."
    )
