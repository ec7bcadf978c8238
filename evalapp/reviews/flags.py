"""Flags: a reviewer reports a problem with an item to the manager and keeps the assignment."""

from django.db import connection, transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.core.names import has_visible
from evalapp.core.strict_json import bad_character
from evalapp.reviews.models import Flag
from evalapp.reviews.queries import NOT_YOURS, ReviewContext, own_reviews

LONGEST_NOTE = 500

# A second note on the same item replaces the first, also if both arrive at once.
_FLAG = """
INSERT INTO evalapp_flag (campaign_id, item_id, reviewer_id, note, created_at)
VALUES (%(campaign)s, %(item)s, %(reviewer)s, %(note)s, now())
ON CONFLICT (item_id, reviewer_id) WHERE resolved_at IS NULL
DO UPDATE SET note = excluded.note, created_at = now()
RETURNING id
"""


@transaction.atomic
def flag_item(*, review_context: ReviewContext, by: User, note: str) -> Flag:
    """Open a flag on the item, or replace the note of the open one.

    Only for items that the reviewer has claimed or submitted; otherwise MissingError. Raises InvalidError for
    an empty or too long note.
    """
    note = note.strip()
    if len(note) > LONGEST_NOTE or not has_visible(note) or bad_character(note):
        raise InvalidError(
            f"Say what is wrong with the item, in at most {LONGEST_NOTE} characters.", field="note"
        )
    if review_context.campaign_reviewer.user_id != by.pk or not (
        review_context.is_claimed or own_reviews(review_context).exists()
    ):
        raise MissingError(NOT_YOURS)
    assignment = review_context.assignment
    with connection.cursor() as cursor:
        cursor.execute(
            _FLAG,
            {"campaign": assignment.campaign_id, "item": assignment.item_id, "reviewer": by.pk, "note": note},
        )
        flag = Flag.objects.get(pk=cursor.fetchone()[0])
    record(
        "item.flagged",
        by=by,
        obj=flag,
        project=assignment.campaign.project,
        data={"campaign": assignment.campaign_id, "item": assignment.item_id},
    )
    return flag


@transaction.atomic
def resolve_flag(*, flag: Flag, by: User) -> None:
    """Close a flag. The view checks permission. Raises ConflictError if it is already closed."""
    if not Flag.objects.filter(pk=flag.pk, resolved_at=None).update(resolved_by=by, resolved_at=Now()):
        raise ConflictError("Somebody has resolved this flag already.", code="flag_resolved")
    record(
        "flag.resolved",
        by=by,
        obj=flag,
        project=flag.campaign.project,
        data={"campaign": flag.campaign_id, "item": flag.item_id},
    )


def flags_of(campaign: Campaign) -> QuerySet[Flag]:
    """The campaign's flags, open and resolved, latest first. Show no reviewer names with them: the note may
    reveal whose pseudonym is in the case.
    """
    return campaign.flags.select_related("item__example", "resolved_by").order_by("-id")


def open_flags_of(project: Project, *, most: int) -> list[tuple[Campaign, int]]:
    """The campaigns with open flags and their number, most first."""
    flagged = project.campaigns.filter(flags__resolved_at=None, flags__isnull=False).annotate(
        flag_count=Count("flags")
    )
    return [(campaign, campaign.flag_count) for campaign in flagged.order_by("-flag_count", "-id")[:most]]
