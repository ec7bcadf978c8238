"""Writes of judgements: exactly once, whole, audited; with the promises of a review's.

One submission is one transaction: the place's slot, the reviewer's count, the judgement, the audit
event, and the end of its draft. A replay finds the stored judgement.
"""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.allocation import fill_slot, lock_open_campaign
from evalapp.campaigns.checks import plan_repeat
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState, Comparison, Place
from evalapp.core.errors import ConflictError, InvalidError, MissingError, StaleError
from evalapp.judgements.drafts import keep_text, save_draft
from evalapp.judgements.models import Judgement, JudgementDraft, JudgementRevision
from evalapp.judgements.queries import NOT_YOURS, comparison_id_at, last_judged, verdict_of
from evalapp.judgements.verdicts import Verdict, check_verdict
from evalapp.reviews.queries import Stand
from evalapp.reviews.services import (
    NOT_CHANGED,
    NOT_COUNTED,
    CampaignClosedError,
    KeptDraft,
    LeaseLostError,
    fill_after_lapse,
    skip_item,
    touch,
)

_RUNNING = (CampaignState.OPEN, CampaignState.PAUSED)


@dataclass(frozen=True)
class JudgeResult:
    """``is_replay``: the same submission had been stored before; nothing was written now."""

    judgement: Judgement
    is_replay: bool = False


@dataclass(frozen=True)
class _Asked:
    """A comparison as it stands at a place."""

    comparison_id: int
    outputs: list[int]


def submit_judgement(
    *,
    stand: Stand,
    client_id: UUID,
    verdict: Verdict,
    seconds_active: float = 0.0,
    is_simulated: bool = False,
) -> JudgeResult:
    """Store a judgement of one comparison of a place that the reviewer holds.

    Raises InvalidError (fields ``choice``, ``ranks``, ``comment``), ConflictError where another
    judgement of it is stored, LeaseLostError where the place went to somebody else,
    CampaignClosedError; in the last three cases the text is kept as a draft.
    """
    campaign = stand.place.campaign
    if is_simulated and not campaign.project.is_demonstration:
        raise InvalidError("Simulated reviews are for demonstration projects only; this is none.")
    asked = _asked_at(stand)
    checked = check_verdict(verdict, outputs=len(asked.outputs))
    try:
        with transaction.atomic():
            lock_open_campaign(campaign.pk)
            if _fill(stand, seconds_active):
                judgement = _store(
                    stand,
                    asked,
                    checked,
                    client_id=client_id,
                    seconds_active=seconds_active,
                    is_simulated=is_simulated,
                )
                plan_repeat(place=stand.place, seat=stand.seat)
                return JudgeResult(judgement)
    except IntegrityError as error:
        # Another request with the same client id was quicker, at this place or at another.
        if (stored := _stored(stand.place, asked, client_id)) is None:
            raise ConflictError(
                "Somebody else changed this at the same moment. Send it once more."
            ) from error
        return _replay_or_refuse(stored, stand, asked, client_id=client_id, verdict=checked)
    if (stored := _stored(stand.place, asked, client_id)) is not None:
        return _replay_or_refuse(stored, stand, asked, client_id=client_id, verdict=checked)
    raise _refusal(stand, asked, checked)


def _asked_at(stand: Stand) -> _Asked:
    comparison = Comparison.objects.filter(pk=comparison_id_at(stand), item=stand.place.item_id).first()
    if comparison is None:
        raise MissingError(NOT_YOURS)
    return _Asked(comparison.pk, arranged(comparison.outputs, stand.place.arrangement))


def _fill(stand: Stand, seconds: float) -> bool:
    person = stand.seat.user
    return fill_slot(
        place=stand.place, slot=stand.slot, reviewer=person, seconds_active=seconds
    ) or fill_after_lapse(stand.seat, stand.place, stand.slot, seconds)


def _store(
    stand: Stand,
    asked: _Asked,
    verdict: Verdict,
    *,
    client_id: UUID,
    seconds_active: float,
    is_simulated: bool,
) -> Judgement:
    campaign, person = stand.place.campaign, stand.seat.user
    judgement = Judgement.objects.create(
        campaign=campaign,
        place=stand.place,
        comparison_id=asked.comparison_id,
        reviewer=person,
        purpose=stand.place.purpose,
        client_id=client_id,
        body_hash=verdict.fingerprint(),
        outputs=asked.outputs,
        choice=verdict.choice,
        ranks=cast(list[int] | None, verdict.ranks),  # checked: none is missing
        comment=verdict.comment,
        seconds_active=seconds_active,
        is_simulated=is_simulated,
    )
    JudgementDraft.objects.filter(reviewer=person, comparison=asked.comparison_id).delete()
    if is_simulated and not campaign.is_simulated:
        Campaign.objects.filter(pk=campaign.pk, is_simulated=False).update(is_simulated=True)
    record(
        "judgement.submitted",
        by=person,
        obj=judgement,
        project=campaign.project,
        data={"campaign": campaign.pk, "place": stand.place.pk, "comparison": asked.comparison_id},
    )
    return judgement


def _stored(place: Place, asked: _Asked, client_id: UUID) -> Judgement | None:
    """The judgement that stands in the way: of the same submission first, else of the same comparison."""
    by_client = Judgement.objects.filter(client_id=client_id).select_related("place").first()
    if by_client is not None:
        return by_client
    return Judgement.objects.filter(place=place, comparison=asked.comparison_id).first()


def _replay_or_refuse(
    stored: Judgement, stand: Stand, asked: _Asked, *, client_id: UUID, verdict: Verdict
) -> JudgeResult:
    is_same = stored.place_id == stand.place.pk and stored.comparison_id == asked.comparison_id
    if stored.reviewer_id == stand.seat.user_id and is_same:
        if stored.body_hash == verdict.fingerprint():
            return JudgeResult(stored, is_replay=True)
        raise ConflictError(
            "You have submitted this one already, with another verdict; the first is kept. "
            "Open it under “My comparisons” to change it.",
            code="already_submitted",
        )
    if stored.client_id == client_id:
        raise ConflictError(
            "This client_id belongs to another submission. Make a new one for each comparison.",
            code="client_id_reused",
        )
    _keep(stand, asked, verdict)
    raise _lease_lost()


def _keep(stand: Stand, asked: _Asked, verdict: Verdict) -> None:
    keep_text(
        reviewer=stand.seat.user, comparison_id=asked.comparison_id, outputs=asked.outputs, verdict=verdict
    )


def _refusal(stand: Stand, asked: _Asked, verdict: Verdict) -> ConflictError:
    _keep(stand, asked, verdict)
    campaign = Campaign.objects.only("state", "closed_at").get(pk=stand.place.campaign_id)
    return CampaignClosedError(campaign, NOT_COUNTED) if campaign.state not in _RUNNING else _lease_lost()


def _lease_lost() -> LeaseLostError:
    return LeaseLostError(
        "This comparison is not in your hands: your time on it ran out, or somebody else has it. So this was "
        "not counted. Your text is kept; go on with the next one."
    )


@transaction.atomic
def amend_judgement(*, judgement: Judgement, by: User, verdict: Verdict, revision: int) -> Judgement:
    """Replace what a judgement says; what it said before stays as a revision.

    ``revision`` is the one that the edit is based on; an edit that changes nothing stores nothing, and
    neither does the same edit once more. Raises StaleError where another edit has replaced the
    revision, CampaignClosedError after the end, InvalidError as `check_verdict`, MissingError for
    another's.
    """
    if judgement.reviewer_id != by.pk:
        raise MissingError(NOT_YOURS)
    campaign = judgement.campaign
    checked = check_verdict(verdict, outputs=len(judgement.outputs))
    lock_open_campaign(campaign.pk)
    # Locked, so that what is kept as the revision is what this edit replaces.
    stored = Judgement.objects.select_for_update().get(pk=judgement.pk)
    says_so = verdict_of(stored).fingerprint() == checked.fingerprint()
    current = Judgement.objects.filter(pk=judgement.pk, revision=revision, campaign__state__in=_RUNNING)
    if says_so and (stored.revision == revision + 1 or current.exists()):
        return stored
    changed = current.update(
        revision=F("revision") + 1,
        revised_at=Now(),
        choice=checked.choice,
        ranks=checked.ranks,
        comment=checked.comment,
    )
    if not changed:
        campaign.refresh_from_db(fields=["state", "closed_at"])
        if campaign.state not in _RUNNING:
            raise CampaignClosedError(campaign, NOT_CHANGED)
        raise StaleError(
            "This was changed in another tab or window since you opened it. Your text is kept on this page: "
            "open it again, compare, and send it once more."
        )
    JudgementRevision.objects.create(
        judgement=judgement, revision=revision, body=verdict_of(stored).as_dict(), replaced_by=by
    )
    record(
        "judgement.amended",
        by=by,
        obj=judgement,
        project=campaign.project,
        data={"revision": revision + 1},
    )
    judgement.refresh_from_db()
    return judgement


def undo_last_judgement(*, reviewer: User, campaign: Campaign) -> Judgement:
    """The latest judgement of this person here, to be opened again and changed; nothing is taken away.

    Raises MissingError before the first, CampaignClosedError after the end.
    """
    seat = CampaignReviewer.objects.filter(campaign=campaign, user=reviewer, left_at=None).first()
    judgement = last_judged(seat) if seat else None
    if judgement is None:
        raise MissingError("You have not submitted anything here yet.")
    if campaign.state not in _RUNNING:
        raise CampaignClosedError(campaign, NOT_CHANGED)
    return judgement


@transaction.atomic
def skip_comparisons(*, reviewer: User, place: Place, reason: str) -> None:
    """`skip_item` for an item whose outputs are compared: its drafts go, what was submitted stays."""
    skip_item(reviewer=reviewer, place=place, reason=reason)
    JudgementDraft.objects.filter(reviewer=reviewer, comparison__item=place.item_id).delete()


def keep_draft(*, stand: Stand, verdict: Verdict, seconds_active: float, revision: int) -> KeptDraft:
    """Keep what the reviewer has in hand, and the place theirs.

    Raises CampaignClosedError after the end, with the draft kept; ConflictError, with nothing kept, for
    one that is submitted or went to somebody else.
    """
    campaign = stand.place.campaign
    is_closed = campaign.state == CampaignState.CLOSED
    if not stand.is_open and not is_closed:
        raise ConflictError("This one is submitted, or went to somebody else.", code="not_held")
    asked = _asked_at(stand)
    saved = save_draft(
        reviewer=stand.seat.user,
        comparison_id=asked.comparison_id,
        outputs=asked.outputs,
        verdict=verdict,
        seconds_active=seconds_active,
        revision=revision,
    )
    if is_closed:
        raise CampaignClosedError(campaign, NOT_COUNTED)
    return KeptDraft(*saved, is_held=touch(place=stand.place, reviewer=stand.seat.user))
