"""Writes to a running campaign: deadline, quotas, reassignment and additions.

None of them affects an assignment in progress or submitted, except `release_claimed`.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Count, F, Q
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.added_sides import insert_added_assignments
from evalapp.campaigns.design import MOST_OVERLAP
from evalapp.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    CampaignReviewer,
    CampaignState,
    Item,
    Purpose,
)
from evalapp.campaigns.opening import insert_items, set_totals, strata_of_campaign
from evalapp.campaigns.services import give_back
from evalapp.core.errors import ConflictError, InvalidError

RUNNING = (CampaignState.OPEN, CampaignState.PAUSED)

# From the end of their order, which they would reach last. Assignments in progress or partly reviewed stay.
_REASSIGN = """
WITH movable AS (
    SELECT p.id FROM evalapp_assignment p
    WHERE p.campaign_id = %(campaign)s AND p.state = 'available' AND p.reviews_done = 0
        AND p.purpose = 'review'
      AND p.assigned_to_id IS NOT DISTINCT FROM %(source)s::bigint
      AND (%(target)s::bigint IS NULL OR NOT EXISTS (
            SELECT 1 FROM evalapp_assignment theirs WHERE theirs.item_id = p.item_id
              AND %(target)s::bigint IN (theirs.reviewer_id, theirs.assigned_to_id))
        AND NOT EXISTS (SELECT 1 FROM evalapp_skip s
                        WHERE s.item_id = p.item_id AND s.reviewer_id = %(target)s::bigint))
    ORDER BY p.rank DESC FOR UPDATE OF p SKIP LOCKED
), one_an_item AS (
    SELECT DISTINCT ON (p.item_id) p.id, p.rank FROM evalapp_assignment p JOIN movable USING (id)
    ORDER BY p.item_id, p.rank DESC
), chosen AS (
    SELECT id FROM movable WHERE %(target)s::bigint IS NULL
    UNION SELECT id FROM one_an_item WHERE %(target)s::bigint IS NOT NULL
)
UPDATE evalapp_assignment p SET assigned_to_id = %(target)s::bigint
WHERE p.id IN (SELECT id FROM evalapp_assignment JOIN chosen USING (id) ORDER BY rank DESC LIMIT %(most)s)
"""


def lock_running(campaign: Campaign, doing: str) -> Campaign:
    """The campaign's row, locked until the transaction ends. Raises ConflictError unless it runs."""
    locked = (
        Campaign.objects.select_for_update(no_key=True, of=("self",))
        .select_related("project")
        .filter(pk=campaign.pk, state__in=RUNNING)
        .first()
    )
    if locked is None:
        campaign.refresh_from_db(fields=["state"])
        raise ConflictError(
            f"“{campaign}” is {campaign.get_state_display().lower()}; {doing} while it is open or paused."
        )
    return locked


@transaction.atomic
def set_deadline(*, campaign: Campaign, deadline: datetime | None, by: User | None) -> Campaign:
    """Change or remove the deadline of a running campaign. Raises InvalidError for one in the past."""
    if deadline is not None and deadline <= timezone.now():
        raise InvalidError("The deadline is in the past. Choose a later one, or none.", field="deadline")
    locked = lock_running(campaign, "its deadline can be moved")
    before = locked.deadline
    Campaign.objects.filter(pk=locked.pk).update(deadline=deadline)
    record(
        "campaign.deadline_moved",
        by=by,
        obj=locked,
        project=locked.project,
        data={
            "before": before.isoformat() if before else None,
            "after": deadline.isoformat() if deadline else None,
        },
    )
    campaign.refresh_from_db()
    return campaign


@transaction.atomic
def set_quota(*, campaign_reviewer: CampaignReviewer, quota: int | None, by: User | None) -> CampaignReviewer:
    """Set the most items for this person; None: the campaign's quota. Existing assignments stay."""
    if quota is not None and not 1 <= quota <= 10_000_000:
        raise InvalidError(
            "A quota is at least 1 item; leave it empty for the campaign's own.", field="quota"
        )
    if campaign_reviewer.campaign.state == CampaignState.CLOSED:
        raise ConflictError(f"“{campaign_reviewer.campaign}” is closed, so its quotas cannot change.")
    CampaignReviewer.objects.filter(pk=campaign_reviewer.pk).update(quota=quota)
    campaign_reviewer.quota = quota
    record(
        "campaign.quota_set",
        by=by,
        obj=campaign_reviewer.campaign,
        project=campaign_reviewer.campaign.project,
        data={"reviewer": campaign_reviewer.user_id, "quota": quota},
    )
    return campaign_reviewer


@transaction.atomic
def release_claimed(*, campaign_reviewer: CampaignReviewer, by: User | None) -> int:
    """Return a reviewer's assignments in progress to everybody; returns their number. Submitted reviews stay.
    Later submissions count while nobody else has the item; otherwise the text is saved.

    A partly reviewed item is not offered to them again. An assignment that is just being submitted stays.
    Raises ConflictError unless the campaign runs.
    """
    campaign = campaign_reviewer.campaign
    if not Campaign.objects.filter(pk=campaign.pk, state__in=RUNNING).exists():
        campaign.refresh_from_db(fields=["state"])
        raise ConflictError(
            f"“{campaign}” is {campaign.get_state_display().lower()}; no reviewer has an item in progress."
        )
    claimed = Assignment.objects.filter(
        campaign=campaign,
        reviewer=campaign_reviewer.user,
        state=AssignmentState.IN_PROGRESS,
        purpose=Purpose.REVIEW,
    )
    released = sum(
        give_back(
            assignment=assignment,
            reviewer=campaign_reviewer.user,
            reason="Released by a manager",
            is_lapse=True,
        )
        for assignment in claimed.order_by("pk").select_for_update(skip_locked=True)
    )
    record(
        "campaign.items_released",
        by=by,
        obj=campaign,
        project=campaign.project,
        data={"reviewer": campaign_reviewer.user_id, "assignments": released},
    )
    return released


@transaction.atomic
def reassign(
    *, campaign: Campaign, source: User | None, target: User | None, most: int | None, by: User | None
) -> int:
    """Move assignments that nobody has started to another person; returns their number.

    ``source`` and ``target`` None: the shared queue. At most ``most`` move (None: all that can), those that
    the source would reach last. Items that the target already has or skipped, and assignments in progress,
    stay. Raises InvalidError for people who do not review here, or a full quota.
    """
    locked = lock_running(campaign, "work can be reassigned")
    if source == target:
        raise InvalidError("Choose somebody other than the reviewer who has the items now.", field="target")
    if most is not None and most < 1:
        raise InvalidError("Move at least one item, or leave the number empty for all of them.", field="most")
    room = _room_of(locked, target) if target is not None else None
    limits = [limit for limit in (most, room) if limit is not None]
    parameters = {
        "campaign": locked.pk,
        "source": source.pk if source else None,
        "target": target.pk if target else None,
        "most": min(limits) if limits else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(_REASSIGN, parameters)
        moved = int(cursor.rowcount)
    record(
        "campaign.reassigned",
        by=by,
        obj=locked,
        project=locked.project,
        data={"from": parameters["source"], "to": parameters["target"], "assignments": moved},
    )
    return moved


def _room_of(campaign: Campaign, target: User) -> int | None:
    """The number of assignments left in the target's quota; None without one. Raises InvalidError if it is
    full, or they do not review here.
    """
    # Locked, so that a concurrent claim of theirs takes no other assignment of an item that they get.
    campaign_reviewer = (
        campaign.reviewers.select_for_update(of=("self",)).filter(user=target, left_at=None).first()
    )
    if campaign_reviewer is None:
        raise InvalidError(f"{target} is not a reviewer of this campaign. Add them first.", field="target")
    quota = campaign_reviewer.quota if campaign_reviewer.quota is not None else campaign.quota
    if quota is None:
        return None
    theirs = Q(reviewer=target) | Q(reviewer=None, assigned_to=target)
    has = Assignment.objects.filter(theirs, campaign=campaign, purpose=Purpose.REVIEW)
    room = quota - has.count()
    if room < 1:
        raise InvalidError(f"{target}'s quota of {quota:,} items is full. Raise it first.", field="target")
    return room


@transaction.atomic
def add_items(*, campaign: Campaign, wanted: int | None, by: User | None) -> int:
    """Add further examples as items, by the campaign's own draw; returns their number.

    ``wanted`` None: all that are left. Raises InvalidError if there are not enough.
    """
    locked = lock_running(campaign, "items can be added")
    strata = strata_of_campaign(locked)
    left = sum(strata.values())
    if not left or (wanted is not None and not max(1, len(strata)) <= wanted <= left):
        raise InvalidError(_items_left_message(locked, len(strata), left), field="items")
    items = insert_items(campaign=locked, wanted=wanted)
    assignments = insert_added_assignments(campaign=locked)
    set_totals(locked)
    record(
        "campaign.items_added",
        by=by,
        obj=locked,
        project=locked.project,
        data={"items": items, "assignments": assignments},
    )
    campaign.refresh_from_db()
    return items


def _items_left_message(campaign: Campaign, strata: int, left: int) -> str:
    if not left:
        return "Every example that all candidates have answered is in this campaign already."
    if strata > 1:
        return (
            f"{left:,} examples are left, in {strata} values of “{campaign.stratify_by}”. Add between"
            f" {strata} and {left:,}, so that each value is included."
        )
    return f"{left:,} examples are left. Add between 1 and {left:,}."


class AddedAssignments(NamedTuple):
    """``differing``: number of items found; ``items``: those that got more reviewers."""

    differing: int
    items: int


@transaction.atomic
def add_assignments(
    *, campaign: Campaign, differing: Callable[[], Collection[int]], more: int, by: User | None
) -> AddedAssignments:
    """Add ``more`` reviewers to each item that ``differing`` returns.

    ``differing`` is called while the campaign is locked, so that concurrent requests see the assignments of
    the first. Items that would then need more people than there are are left out. Raises InvalidError if that
    applies to all.
    """
    locked = lock_running(campaign, "reviewers can be added to items")
    if not 1 <= more <= MOST_OVERLAP:
        raise InvalidError(f"Add between 1 and {MOST_OVERLAP} reviewers to each item.", field="more")
    items = differing()
    if not items:
        return AddedAssignments(0, 0)
    people = locked.reviewers.filter(left_at=None).count()
    # People who left, or skipped the item, take no assignment, so people are counted per item.
    fitting = (
        Item.objects.filter(campaign=locked, pk__in=items, purpose=Purpose.REVIEW)
        .annotate(skipped=Count("skips"))
        .filter(overlap__lte=people - more - F("skipped"))
        .exclude(overlap__gt=MOST_OVERLAP - more)
    )
    chosen = sorted(fitting.values_list("pk", flat=True))
    if not chosen:
        raise InvalidError(
            f"No item fits: {more} more reviewers would need more people than the {people} who review here."
            " Add people, or fewer reviewers to each item.",
            field="more",
        )
    Item.objects.filter(pk__in=chosen).update(overlap=F("overlap") + more)
    assignments = insert_added_assignments(campaign=locked, items=chosen, is_added=True)
    set_totals(locked)
    record(
        "campaign.assignments_added",
        by=by,
        obj=locked,
        project=locked.project,
        data={"items": len(chosen), "assignments": assignments, "more": more},
    )
    campaign.refresh_from_db()
    return AddedAssignments(len(items), len(chosen))
