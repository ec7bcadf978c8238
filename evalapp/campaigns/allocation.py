"""Which reviewer gets which assignment, when, and in what order.

Assignments are rows from the launch on, so the quota is exact by construction: one is claimed by one
statement with ``FOR UPDATE SKIP LOCKED``, and every change of state is one conditional UPDATE. A reviewer
claims a few assignments at once, so that the outputs of different items are interleaved. Locks are taken in
one order: an assignment before the reviewer's own row (``CampaignReviewer``); code that locks that row first
takes assignments only with SKIP LOCKED, or has stopped submissions before (`block_submissions`). So two tabs
cannot deadlock.
"""

# ruff: noqa: S608 - SQL is put together from constants of this code; every value is a parameter

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.campaigns.checks import make_repeats_due
from evalapp.campaigns.fair_share import (
    CLAIM_LIMIT,
    ELIGIBLE,
    FOR_ANYBODY,
    TO_BE_TAKEN_OVER,
    claim_limit,
    claim_limit_of,
    claim_limit_parameters,
    take_unstarted_assignment,
)
from evalapp.campaigns.leases import lease_of, return_lapsed_assignments, started_lease_of
from evalapp.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    CampaignReviewer,
    CampaignState,
    Purpose,
    Skip,
)
from evalapp.campaigns.quotas import has_room
from evalapp.core.joins import JoinedRows
from evalapp.core.prepared import prepared_cursor

SPACING = 2
# A cursor beyond all ordinary assignments.
_LAST_RANK = 2_147_483_647
_CAMPAIGN_LOCK = 20_001

_SELECT_CLAIMED = """
SELECT id, key, item_id, outputs_order, open_slots, lease_expires_at FROM evalapp_assignment
WHERE reviewer_id = %(user)s AND campaign_id = %(campaign)s AND state = 'in_progress'
ORDER BY claimed_at NULLS FIRST, id
"""

_ASSIGNED_TO_USER = "p.assigned_to_id = %(user)s AND p.purpose = 'review' AND %(admitted)s"
# Checks are offered when they are due; before admission, only calibration.
_DUE_CHECK = """p.assigned_to_id = %(user)s AND p.purpose <> 'review' AND p.rank <= %(due)s
    AND (%(admitted)s OR p.purpose = 'calibration')"""

_AFTER_CURSOR = "AND p.rank > %(cursor)s"

_FIRST_AVAILABLE = """
    SELECT p.id, p.rank FROM evalapp_assignment p
    WHERE p.campaign_id = %(campaign)s AND p.state = 'available' AND {whose} AND {eligible}
      AND (SELECT claimed < most FROM claim_limit)
    ORDER BY p.rank LIMIT 1 FOR UPDATE OF p SKIP LOCKED
"""

# The commit does not wait for the disk. If the power fails within the next second, the assignment is
# available again but no review is lost: a review of it is written after the claim in the log, and waits for
# both. Three scans, each along its own index, never step over assignments of other people.
CLAIM = f"""
WITH claim_limit AS MATERIALIZED ({CLAIM_LIMIT}
), due AS ({_FIRST_AVAILABLE.format(whose=_DUE_CHECK, eligible=ELIGIBLE)}
), own AS ({_FIRST_AVAILABLE.format(whose=f"{_ASSIGNED_TO_USER} {_AFTER_CURSOR}", eligible=ELIGIBLE)}
), open_to_all AS ({_FIRST_AVAILABLE.format(whose=f"{FOR_ANYBODY} {_AFTER_CURSOR}", eligible=ELIGIBLE)}
), offered AS (
    SELECT id, rank, is_check FROM (
        SELECT id, rank, true AS is_check FROM due
        UNION ALL SELECT id, rank, false FROM own UNION ALL SELECT id, rank, false FROM open_to_all) AS firsts
    ORDER BY is_check DESC, rank LIMIT 1
), campaign_reviewer AS (
    UPDATE evalapp_campaignreviewer r SET cursor = offered.rank FROM offered
    WHERE r.id = %(campaign_reviewer)s AND NOT offered.is_check
)
UPDATE evalapp_assignment p
SET state = 'in_progress', reviewer_id = %(user)s, claimed_at = clock_timestamp(),
    lease_expires_at = now() + CASE WHEN p.reviews_done > 0 THEN %(started)s ELSE %(lease)s END
FROM offered WHERE p.id = offered.id
RETURNING p.id, p.key, p.item_id, p.outputs_order, p.open_slots, p.lease_expires_at,
    set_config('synchronous_commit',
               CASE WHEN %(is_outermost)s THEN 'off' ELSE current_setting('synchronous_commit') END, true)
"""

_LOCK_AGAINST_CLOSING = "SELECT pg_advisory_xact_lock_shared(%s::integer, %s::integer)"

_FILL_SLOT = """
WITH filled AS (
    UPDATE evalapp_assignment p
    SET open_slots = array_remove(p.open_slots, %(slot)s), reviews_done = p.reviews_done + 1,
        state = CASE WHEN cardinality(p.open_slots) = 1 THEN 'submitted' ELSE 'in_progress' END,
        lease_expires_at = CASE WHEN cardinality(p.open_slots) = 1 THEN NULL
                                ELSE greatest(p.lease_expires_at, now() + %(started)s) END
    FROM evalapp_campaign c
    WHERE p.id = %(assignment)s AND c.id = p.campaign_id AND c.state IN ('open', 'paused')
      AND p.state = 'in_progress' AND p.reviewer_id = %(user)s AND %(slot)s = ANY(p.open_slots)
    RETURNING p.campaign_id, p.item_id, (p.purpose = 'review')::int AS counts
)
UPDATE evalapp_campaignreviewer r
SET reviews_done = r.reviews_done + filled.counts, checks_done = r.checks_done + 1 - filled.counts,
    seconds_active = r.seconds_active + %(seconds)s,
    recent_items = (ARRAY[filled.item_id] || r.recent_items)[1:%(spacing)s]
FROM filled WHERE r.campaign_id = filled.campaign_id AND r.user_id = %(user)s
"""


class ClaimedAssignment(NamedTuple):
    id: int
    key: UUID
    item_id: int
    outputs_order: list[int]
    open_slots: list[int]
    lease_expires_at: datetime


class NextReview(NamedTuple):
    """The next output or comparison to review, addressed by the assignment's key and a slot."""

    assignment: ClaimedAssignment
    slot: int

    @property
    def subject_id(self) -> int:
        return self.assignment.outputs_order[self.slot]


class NoWorkReason(StrEnum):
    NOT_OPEN = "not_open"
    PAUSED = "paused"
    CLOSED = "closed"
    DEADLINE_PASSED = "deadline_passed"
    QUOTA_REACHED = "quota_reached"
    ALL_DONE = "all_done"
    ALL_TAKEN = "all_taken"
    NOTHING_LEFT_FOR_YOU = "nothing_left_for_you"
    ASSIGNED_TO_OTHERS = "assigned_to_others"
    NOT_ADMITTED = "not_admitted"
    LAST_ON_SCREEN = "last_on_screen"


_REASONS_BY_STATE: dict[str, NoWorkReason] = {
    CampaignState.CLOSED: NoWorkReason.CLOSED,
    CampaignState.DRAFT: NoWorkReason.NOT_OPEN,
    CampaignState.PAUSED: NoWorkReason.PAUSED,
}


class NoWork(NamedTuple):
    """The reason why there is no work, and the earliest time at which a claimed assignment may become
    available.
    """

    reason: NoWorkReason
    come_back_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes: the reviewer's part is done."""
        return self.reason in (
            NoWorkReason.ALL_DONE,
            NoWorkReason.NOTHING_LEFT_FOR_YOU,
            NoWorkReason.ASSIGNED_TO_OTHERS,
            NoWorkReason.QUOTA_REACHED,
            NoWorkReason.CLOSED,
        )


def next_review(
    *, campaign_reviewer: CampaignReviewer, showing: tuple[UUID, int] | None = None
) -> NextReview | NoWork:
    """The next subject for this reviewer, or the reason for none. Claims an assignment unless the maximum is
    claimed.

    Select the campaign of ``campaign_reviewer``. ``showing``: the assignment and slot on the screen, for a
    prefetch; it is not offered again, and counts as the latest. The result stays the same until something is
    submitted, so that reloading a page does not shuffle the work.
    """
    campaign = campaign_reviewer.campaign
    if campaign.state in _REASONS_BY_STATE:
        return NoWork(_REASONS_BY_STATE[campaign.state])
    if campaign.is_overdue:
        return NoWork(NoWorkReason.DEADLINE_PASSED)
    claimed = claimed_assignments(campaign_reviewer)
    _renew_leases(claimed, campaign)
    if len(claimed) < claim_limit(campaign):
        claimed += claim_assignment(campaign_reviewer=campaign_reviewer)
    chosen = _choose_slot(claimed, campaign_reviewer.recent_items, showing)
    if chosen is not None:
        return chosen
    if claimed:
        return NoWork(NoWorkReason.LAST_ON_SCREEN)
    return _no_work(campaign_reviewer)


def claimed_assignments(campaign_reviewer: CampaignReviewer) -> list[ClaimedAssignment]:
    """The reviewer's assignments in progress, in the order in which they were claimed."""
    with prepared_cursor() as database:
        database.execute(
            _SELECT_CLAIMED, {"user": campaign_reviewer.user_id, "campaign": campaign_reviewer.campaign_id}
        )
        return [ClaimedAssignment(*row) for row in database.fetchall()]


def claim_assignment(*, campaign_reviewer: CampaignReviewer) -> list[ClaimedAssignment]:
    """Claim one more assignment; empty if nothing is available to this reviewer, they have their fair share
    or have reached the quota. A reviewer without any takes over one that another reviewer has not started.

    Available assignments before the reviewer's cursor (returned ones) follow when those after it are used up.
    """
    campaign = campaign_reviewer.campaign
    with transaction.atomic():
        # A separate statement, so that the next one sees what another tab has just claimed.
        locked = _lock_campaign_reviewer(campaign_reviewer)
        if locked is None:
            return []
        is_room = has_room(locked)
        if is_room:
            claimed = _claim_after(locked.cursor, locked)
            if not claimed:
                return_lapsed_assignments(campaign=campaign, except_of=campaign_reviewer.user_id)
                claimed = _claim_after(-1, locked)
            if claimed:
                return claimed
        parameters = claim_parameters(campaign_reviewer=locked, cursor=-1)
        limit = claim_limit_of(parameters)
        if limit.is_full:
            return []
        # The ordinary work has ended, so repeats of it come now at the latest.
        if campaign.repeat_share and make_repeats_due(campaign=campaign, campaign_reviewer=locked):
            return _claim_after(_LAST_RANK, locked)
        if is_room and not limit.claimed:
            return [ClaimedAssignment(*row) for row in take_unstarted_assignment(parameters)]
    return []


@cache
def _campaign_reviewer_rows() -> JoinedRows:
    return JoinedRows(campaign_reviewer=CampaignReviewer)


def _lock_campaign_reviewer(campaign_reviewer: CampaignReviewer) -> CampaignReviewer | None:
    """The current row of the campaign reviewer, locked until the transaction ends; None if they have left."""
    unless_left = "WHERE id = %(campaign_reviewer)s AND left_at IS NULL"
    found = _campaign_reviewer_rows().first(
        f"FROM evalapp_campaignreviewer campaign_reviewer {unless_left} FOR UPDATE",
        {"campaign_reviewer": campaign_reviewer.pk},
    )
    for locked in found or ():
        locked.campaign = campaign_reviewer.campaign
    return found[0] if found else None


def is_admitted(campaign_reviewer: CampaignReviewer) -> bool:
    """Whether this reviewer gets ordinary work: at once, or after the campaign's calibration."""
    return not campaign_reviewer.campaign.calibration_items or campaign_reviewer.admitted_at is not None


def claim_parameters(*, campaign_reviewer: CampaignReviewer, cursor: int) -> dict[str, Any]:
    campaign = campaign_reviewer.campaign
    return {
        "campaign": campaign.pk,
        "user": campaign_reviewer.user_id,
        "campaign_reviewer": campaign_reviewer.pk,
        "cursor": cursor,
        **claim_limit_parameters(campaign),
        "admitted": is_admitted(campaign_reviewer),
        "due": campaign_reviewer.reviews_done // campaign.reviews_per_assignment,
        "lease": lease_of(campaign),
        "started": started_lease_of(campaign),
        # An outer transaction may contain writes that must not be lost.
        "is_outermost": not connection.savepoint_ids,
    }


def _claim_after(cursor: int, campaign_reviewer: CampaignReviewer) -> list[ClaimedAssignment]:
    with prepared_cursor() as database:
        database.execute(CLAIM, claim_parameters(campaign_reviewer=campaign_reviewer, cursor=cursor))
        return [ClaimedAssignment(*row[:-1]) for row in database.fetchall()]


def _renew_leases(claimed: Sequence[ClaimedAssignment], campaign: Campaign) -> None:
    """Extend leases that are more than half used, because the reviewer is active."""
    lease = lease_of(campaign)
    soon = timezone.now() + lease / 2
    ageing = [assignment.id for assignment in claimed if assignment.lease_expires_at < soon]
    if not ageing:
        return
    with transaction.atomic():
        mine = Assignment.objects.filter(pk__in=ageing, state=AssignmentState.IN_PROGRESS)
        free_to_lock = mine.select_for_update(skip_locked=True).values("pk")
        Assignment.objects.filter(pk__in=list(free_to_lock.values_list("pk", flat=True))).update(
            lease_expires_at=Now() + lease
        )


def _choose_slot(
    claimed: Sequence[ClaimedAssignment], recent_items: Sequence[int], showing: tuple[UUID, int] | None
) -> NextReview | None:
    """One slot of the claimed assignments, if possible not of one of the last two items."""
    candidates = []
    latest = list(recent_items)
    for assignment in claimed:
        slots = [slot for slot in assignment.open_slots if (assignment.key, slot) != showing]
        if showing is not None and assignment.key == showing[0]:
            latest.insert(0, assignment.item_id)
        if slots:
            candidates.append(NextReview(assignment, min(slots)))
    if not candidates:
        return None
    last = latest[:SPACING]
    # Items reviewed longer ago come first, items never reviewed before all. Among equals, the one claimed
    # first: so a reload shows the same task, and checks come like all others.
    return min(
        candidates,
        key=lambda each: (
            SPACING - last.index(each.assignment.item_id) if each.assignment.item_id in last else 0
        ),
    )


# Each part has its index: available to anybody, available to this person, and in progress.
_SELECT_REASON = f"""
SELECT EXISTS (SELECT 1 FROM evalapp_assignment p WHERE p.campaign_id = %(campaign)s AND p.state = 'available'
               AND {FOR_ANYBODY} AND {ELIGIBLE})
    OR EXISTS (SELECT 1 FROM evalapp_assignment p WHERE p.campaign_id = %(campaign)s AND p.state = 'available'
               AND {_ASSIGNED_TO_USER} AND {ELIGIBLE})
    OR EXISTS (SELECT 1 FROM evalapp_assignment p WHERE {TO_BE_TAKEN_OVER}),
    (SELECT min(p.lease_expires_at) FROM evalapp_assignment p
     WHERE p.campaign_id = %(campaign)s AND p.state = 'in_progress' AND {ELIGIBLE} AND p.purpose = 'review'
       AND ({FOR_ANYBODY} OR {_ASSIGNED_TO_USER} OR p.reviews_done > 0)),
    EXISTS (SELECT 1 FROM evalapp_assignment p WHERE p.campaign_id = %(campaign)s
        AND p.state IN ('available', 'in_progress')
            AND p.assigned_to_id <> %(user)s AND p.purpose = 'review')
"""


def _no_work(campaign_reviewer: CampaignReviewer) -> NoWork:
    campaign = campaign_reviewer.campaign
    # Read again: the given row is as old as the page.
    campaign_reviewer = CampaignReviewer.objects.select_related("campaign").get(pk=campaign_reviewer.pk)
    if not is_admitted(campaign_reviewer):
        return NoWork(NoWorkReason.NOT_ADMITTED)
    unfinished = Assignment.objects.filter(campaign=campaign, purpose=Purpose.REVIEW).exclude(
        state=AssignmentState.SUBMITTED
    )
    if not unfinished.exists():
        return NoWork(NoWorkReason.ALL_DONE)
    if not has_room(campaign_reviewer):
        return NoWork(NoWorkReason.QUOTA_REACHED)
    with connection.cursor() as database:
        database.execute(
            _SELECT_REASON, {"campaign": campaign.pk, "user": campaign_reviewer.user_id, "admitted": True}
        )
        some_is_free, earliest, is_with_others = database.fetchone()
    if some_is_free:
        # Another claim of it was in progress, or its reviewer was just submitting.
        return NoWork(NoWorkReason.ALL_TAKEN, timezone.now())
    if earliest is not None:
        # After the deadline nothing is assigned, so a lease that ends later makes nothing available.
        is_late = campaign.deadline is not None and earliest >= campaign.deadline
        return NoWork(NoWorkReason.ALL_TAKEN, None if is_late else earliest)
    return NoWork(NoWorkReason.ASSIGNED_TO_OTHERS if is_with_others else NoWorkReason.NOTHING_LEFT_FOR_YOU)


def lock_open_campaign(campaign_id: int) -> None:
    """Keep the campaign from closing until this transaction ends. Call it before reading the state: a review
    is then either included in the closed campaign, or refused.
    """
    with prepared_cursor() as database:
        database.execute(_LOCK_AGAINST_CLOSING, [_CAMPAIGN_LOCK, campaign_id])


def block_submissions(campaign_id: int) -> None:
    """Wait for submissions in progress, and keep new ones from starting until this transaction ends."""
    with connection.cursor() as database:
        database.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_CAMPAIGN_LOCK, campaign_id])


def fill_slot(*, assignment: Assignment, slot: int, reviewer: User, seconds_active: float) -> bool:
    """Count a review of the slot, in the transaction that stores the review.

    True if the reviewer has claimed the assignment, the slot was open and the campaign takes reviews.
    """
    parameters: dict[str, Any] = {
        "assignment": assignment.pk,
        "slot": slot,
        "user": reviewer.pk,
        "seconds": seconds_active,
        "started": started_lease_of(assignment.campaign),
        "spacing": SPACING,
    }
    with prepared_cursor() as database:
        database.execute(_FILL_SLOT, parameters)
        return int(database.rowcount) == 1


def reclaim_assignment(*, assignment: Assignment, campaign_reviewer: CampaignReviewer) -> bool:
    """Claim an assignment again after its lease expired; True if nobody took it meanwhile.

    Only for the assignment's last reviewer; an item that they skipped stays skipped.
    """
    locked = _lock_campaign_reviewer(campaign_reviewer)
    if locked is None:
        return False
    skips = Skip.objects.filter(item=assignment.item_id, reviewer=campaign_reviewer.user_id)
    if skips.filter(is_lapse=False).exists():
        return False
    theirs = Assignment.objects.filter(item=assignment.item_id, reviewer=campaign_reviewer.user_id)
    if assignment.purpose == Purpose.REVIEW and (theirs.exists() or not has_room(locked)):
        return False
    if not is_admitted(locked) and assignment.purpose != Purpose.CALIBRATION:
        return False
    for_them = Q(assigned_to=None) | Q(assigned_to=campaign_reviewer.user_id)
    free = Assignment.objects.filter(
        for_them, pk=assignment.pk, state=AssignmentState.AVAILABLE, last_reviewer=campaign_reviewer.user_id
    )
    taken = free.select_for_update(skip_locked=True).first()
    if taken is None:
        return False
    lease = (
        started_lease_of(campaign_reviewer.campaign)
        if taken.reviews_done
        else lease_of(campaign_reviewer.campaign)
    )
    Assignment.objects.filter(pk=taken.pk).update(
        state=AssignmentState.IN_PROGRESS,
        reviewer=campaign_reviewer.user_id,
        lease_expires_at=Now() + lease,
        claimed_at=Now(),
    )
    skips.filter(is_lapse=True).delete()
    return True


def release_assignment(*, assignment: Assignment, reviewer: User) -> bool:
    """Return a claimed assignment; False if this reviewer has not claimed it."""
    claimed = Assignment.objects.filter(
        pk=assignment.pk, state=AssignmentState.IN_PROGRESS, reviewer=reviewer
    )
    return (
        claimed.update(
            state=AssignmentState.AVAILABLE, reviewer=None, lease_expires_at=None, last_reviewer=reviewer
        )
        == 1
    )
