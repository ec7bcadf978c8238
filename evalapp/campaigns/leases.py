"""How long a reviewer keeps an assignment, and what happens when the lease expires."""

from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign

# A reviewer with a submitted review keeps the assignment for a day, because its other outputs are best
# reviewed by the same person.
STARTED_LEASE = timedelta(hours=24)

_RETURN_LAPSED = """
WITH lapsed AS (
    SELECT id, campaign_id, item_id, reviewer_id, reviews_done, purpose FROM evalapp_assignment
    WHERE state = 'in_progress' AND lease_expires_at < now() {where}
    FOR UPDATE SKIP LOCKED
), noted AS (
    INSERT INTO evalapp_skip (campaign_id, item_id, reviewer_id, reason, is_lapse, created_at)
    SELECT campaign_id, item_id, reviewer_id, 'The lease ran out half-way', true, now()
    FROM lapsed WHERE reviews_done > 0 AND purpose <> 'calibration'
    ON CONFLICT (item_id, reviewer_id) DO NOTHING
)
UPDATE evalapp_assignment p
SET state = 'available', reviewer_id = NULL, lease_expires_at = NULL, lapses = least(p.lapses + 1, 32767),
    last_reviewer_id = lapsed.reviewer_id,
    assigned_to_id = CASE WHEN p.reviews_done > 0 AND p.purpose = 'review' THEN NULL ELSE p.assigned_to_id END
FROM lapsed WHERE p.id = lapsed.id
"""


def lease_of(campaign: Campaign) -> timedelta:
    return timedelta(minutes=campaign.lease_minutes)


def started_lease_of(campaign: Campaign) -> timedelta:
    """The minimum lease of an assignment once one of its reviews is submitted."""
    return max(lease_of(campaign), STARTED_LEASE)


def return_lapsed_assignments(*, campaign: Campaign | None = None, except_of: int | None = None) -> int:
    """Return assignments whose lease has expired; returns their number. Submitted reviews stay, and the next
    reviewer reviews the rest of the outputs.
    """
    where, parameters = "", {}
    if campaign is not None:
        where += " AND campaign_id = %(campaign)s"
        parameters["campaign"] = campaign.pk
    if except_of is not None:
        where += " AND reviewer_id <> %(user)s"
        parameters["user"] = except_of
    with connection.cursor() as database:
        database.execute(_RETURN_LAPSED.format(where=where), parameters)
        return int(database.rowcount)


def renew_assignment(*, assignment: Assignment, reviewer: User) -> bool:
    """Extend the lease of an assignment that its reviewer is working on; returns whether it is still
    theirs.
    """
    lease = lease_of(assignment.campaign)
    if assignment.state != AssignmentState.IN_PROGRESS or assignment.reviewer_id != reviewer.pk:
        return False
    if assignment.lease_expires_at is not None and assignment.lease_expires_at > timezone.now() + lease / 2:
        return True
    claimed = Assignment.objects.filter(
        pk=assignment.pk, state=AssignmentState.IN_PROGRESS, reviewer=reviewer
    )
    return claimed.update(lease_expires_at=Now() + lease) == 1
