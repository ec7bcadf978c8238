"""Writes of the calibration round: everybody rates the same items, discusses them, and is admitted."""

from django.db import transaction
from django.db.models.functions import Now

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.checks import add_calibration_items, insert_checks
from evalapp.campaigns.comparisons import insert_comparisons
from evalapp.campaigns.design import MOST_CALIBRATION_ITEMS
from evalapp.campaigns.models import CalibrationNote, Campaign, CampaignReviewer, Item, Purpose
from evalapp.campaigns.opening import insert_outputs, set_totals
from evalapp.campaigns.running import lock_running
from evalapp.core.errors import ConflictError, InvalidError

LONGEST_NOTE = 5_000


@transaction.atomic
def admit(*, campaign_reviewer: CampaignReviewer, by: User | None, called: str = "") -> None:
    """Admit a reviewer to the campaign's items. Raises ConflictError if they are admitted already, or have
    left.

    ``called``: how an error names them; by default their name.
    """
    lock_running(campaign_reviewer.campaign, "reviewers can be admitted")
    waiting = CampaignReviewer.objects.filter(pk=campaign_reviewer.pk, admitted_at=None, left_at=None)
    if not waiting.update(admitted_at=Now()):
        raise ConflictError(f"{called or campaign_reviewer.user} has been admitted already, or has left.")
    record(
        "campaign.reviewer_admitted",
        by=by,
        obj=campaign_reviewer.campaign,
        project=campaign_reviewer.campaign.project,
        data={"reviewer": campaign_reviewer.user_id},
    )


@transaction.atomic
def start_round(*, campaign: Campaign, wanted: int, by: User | None) -> int:
    """Start another round, with further items for everybody who is not admitted; returns the number of these
    people.

    Raises InvalidError if everybody is admitted or too few examples are left, ConflictError without
    calibration in the design.
    """
    locked = lock_running(campaign, "a round of calibration can be started")
    if not locked.calibration_items:
        raise ConflictError("This campaign was designed without calibration.")
    if not 1 <= wanted <= MOST_CALIBRATION_ITEMS:
        raise InvalidError(f"A round has between 1 and {MOST_CALIBRATION_ITEMS} items.", field="items")
    people = locked.reviewers.filter(admitted_at=None, left_at=None).count()
    if not people:
        raise InvalidError(
            "Everybody is admitted already, so there is nobody for another round.", field="items"
        )
    add_calibration_items(campaign=locked, wanted=wanted)
    insert_outputs(campaign=locked)
    if locked.compares:
        insert_comparisons(campaign=locked)
    insert_checks(campaign=locked)
    set_totals(locked)
    record(
        "campaign.calibration_started",
        by=by,
        obj=locked,
        project=locked.project,
        data={"items": wanted, "people": people},
    )
    return people


@transaction.atomic
def add_note(*, item: Item, author: User, text: str) -> CalibrationNote:
    """Add a note to the discussion of a calibration item. Raises InvalidError for an empty or too long
    text.
    """
    text = text.strip()
    if not text or len(text) > LONGEST_NOTE or "\0" in text:
        raise InvalidError(f"Write a note of at most {LONGEST_NOTE:,} characters.", field="text")
    if item.purpose != Purpose.CALIBRATION:
        raise ConflictError("Only calibration items can be discussed here.")
    note = CalibrationNote.objects.create(item=item, author=author, text=text)
    record(
        "campaign.calibration_note",
        by=author,
        obj=item.campaign,
        project=item.campaign.project,
        data={"item": item.pk, "note": note.pk},
    )
    return note
