"""The fair share: the number of assignments that one reviewer may claim while others wait.

A reviewer claims at most a fair share of the remaining work, so that near the end nobody holds work that
others could do. Assignments claimed when more was left, and not yet started, go to reviewers who have none.
"""

# ruff: noqa: S608 - SQL is put together from constants of this code; every value is a parameter

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import connection

from evalapp.campaigns.models import Campaign, Distribution
from evalapp.core.prepared import first_row

MOST_CLAIMED = 5
# With one output per item there is nothing to interleave: one assignment is on screen, one is prefetched.
MOST_CLAIMED_OF_SINGLE_OUTPUTS = 2

# Counts campaign reviewers, which are few; assignments only when little is left. Manual assignments are
# exempt: they are reserved, so claiming them keeps no work from others.
CLAIM_LIMIT = """
    SELECT (SELECT count(*) FROM evalapp_assignment h
            WHERE h.reviewer_id = %(user)s AND h.campaign_id = %(campaign)s
                AND h.state = 'in_progress') AS claimed,
        CASE WHEN %(is_manual)s OR remaining.assignments >= %(most_claimed)s * remaining.people
            THEN %(most_claimed)s
        ELSE greatest(1, least(%(most_claimed)s, remaining.assignments / (
            SELECT 1 + count(DISTINCT reviewer_id) FROM evalapp_assignment
            WHERE campaign_id = %(campaign)s AND state = 'in_progress' AND reviewer_id <> %(user)s)))
        END AS most
    FROM (SELECT %(assignments)s - coalesce(sum(reviews_done), 0) / %(reviews_per_assignment)s AS assignments,
                 count(*) FILTER (WHERE left_at IS NULL) AS people
          FROM evalapp_campaignreviewer WHERE campaign_id = %(campaign)s) AS remaining
"""

# Scalar subqueries and not NOT EXISTS: the planner may turn the latter into a hash join, which reads all
# finished work before it offers one assignment; these are two index look-ups for each assignment on offer.
# And "<> 1", not IS NULL, which the planner expects to be rare: it would then sort all free assignments
# instead of scanning them in order up to the first that fits.
ELIGIBLE = """
    coalesce((SELECT 1 FROM evalapp_assignment mine
              WHERE mine.item_id = p.item_id AND mine.reviewer_id = %(user)s
                AND p.purpose <> 'repeat' LIMIT 1), 0) <> 1
    AND coalesce((SELECT 1 FROM evalapp_skip s
                  WHERE s.item_id = p.item_id AND s.reviewer_id = %(user)s LIMIT 1), 0) <> 1
"""

# Not if another assignment of the item waits for this person.
FOR_ANYBODY = """p.assigned_to_id IS NULL AND %(admitted)s
    AND coalesce((SELECT 1 FROM evalapp_assignment waiting
                  WHERE waiting.item_id = p.item_id AND waiting.assigned_to_id = %(user)s LIMIT 1), 0) <> 1"""

# Neither reviewed nor drafted in part, and not the first such one of its reviewer, which is or will next be
# on their screen.
TO_BE_TAKEN_OVER = f"""
    p.campaign_id = %(campaign)s AND p.state = 'in_progress' AND p.purpose = 'review' AND p.reviews_done = 0
    AND p.reviewer_id <> %(user)s AND {FOR_ANYBODY} AND {ELIGIBLE}
    AND EXISTS (SELECT 1 FROM evalapp_assignment sooner
                WHERE sooner.reviewer_id = p.reviewer_id AND sooner.campaign_id = p.campaign_id
                  AND sooner.state = 'in_progress' AND sooner.purpose = 'review' AND sooner.reviews_done = 0
                  AND (coalesce(sooner.claimed_at, '-infinity'), sooner.id)
                    < (coalesce(p.claimed_at, '-infinity'), p.id))
    AND NOT EXISTS (SELECT 1 FROM evalapp_draft d
                    WHERE d.reviewer_id = p.reviewer_id AND d.item_output_id = ANY(p.outputs_order))
    AND NOT EXISTS (SELECT 1 FROM evalapp_draft d JOIN evalapp_comparison c ON c.id = d.comparison_id
                    WHERE d.reviewer_id = p.reviewer_id AND c.item_id = p.item_id)
"""

_REVIEWER_WITH_MOST = f"""
SELECT r.user_id FROM evalapp_campaignreviewer r
WHERE r.campaign_id = %(campaign)s
  AND EXISTS (SELECT 1 FROM evalapp_assignment p WHERE p.reviewer_id = r.user_id AND {TO_BE_TAKEN_OVER})
ORDER BY (SELECT count(*) FROM evalapp_assignment h
          WHERE h.reviewer_id = r.user_id AND h.campaign_id = %(campaign)s AND h.state = 'in_progress'
            AND h.reviews_done = 0) DESC, r.id
LIMIT 1 FOR UPDATE OF r SKIP LOCKED
"""

# The reviewer's last claimed assignment, which they would reach last.
_TAKE_OVER = f"""
WITH last AS (
    SELECT p.id FROM evalapp_assignment p WHERE p.reviewer_id = %(from_reviewer)s AND {TO_BE_TAKEN_OVER}
    ORDER BY p.claimed_at DESC NULLS LAST, p.id DESC LIMIT 1 FOR UPDATE OF p SKIP LOCKED
)
UPDATE evalapp_assignment p
SET reviewer_id = %(user)s, claimed_at = clock_timestamp(), lease_expires_at = now() + %(lease)s
FROM last WHERE p.id = last.id
RETURNING p.id, p.key, p.item_id, p.outputs_order, p.open_slots, p.lease_expires_at
"""


def claim_limit(campaign: Campaign) -> int:
    """The most assignments that a reviewer may have in progress at once."""
    return MOST_CLAIMED if campaign.reviews_per_assignment > 1 else MOST_CLAIMED_OF_SINGLE_OUTPUTS


def claim_limit_parameters(campaign: Campaign) -> dict[str, Any]:
    """The parameters of `CLAIM_LIMIT` besides campaign and user."""
    return {
        "most_claimed": claim_limit(campaign),
        "is_manual": campaign.distribution == Distribution.MANUAL,
        "assignments": campaign.assignments_total,
        "reviews_per_assignment": campaign.reviews_per_assignment,
    }


class ClaimLimit(NamedTuple):
    """The number of a reviewer's assignments in progress, and the most that they may have now."""

    claimed: int
    most: int

    @property
    def is_full(self) -> bool:
        return self.claimed >= self.most


def claim_limit_of(parameters: Mapping[str, Any]) -> ClaimLimit:
    """The claim limit of the reviewer in a claim's parameters. Lock their row as campaign reviewer first.

    The most is `claim_limit`, or the remaining assignments divided by the people at work, at least 1. People
    with a claimed assignment are at work, and so is this reviewer.
    """
    claimed, most = first_row(CLAIM_LIMIT, parameters) or (0, 1)
    return ClaimLimit(claimed, most)


def take_unstarted_assignment(parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Give a reviewer without assignments one that another has claimed but not started; its row, or none.

    ``parameters`` as for a claim; lock the reviewer's own row first. The other reviewer's row is locked too,
    so that they submit nothing meanwhile; their first assignment is then determined again. Neither lock is
    waited for.
    """
    with connection.cursor() as database:
        database.execute(_REVIEWER_WITH_MOST, parameters)
        if (found := database.fetchone()) is None:
            return []
        database.execute(_TAKE_OVER, {**parameters, "from_reviewer": found[0]})
        return list(database.fetchall())
