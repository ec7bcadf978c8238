"""How many places one reviewer may hold while others wait, and what goes to whoever has none.

A hand is at most a fair share of what is left, so that near the end nobody holds work that somebody else could
do. A hand that was filled when more was left gives what its holder has not begun to whoever has nothing.
"""

# ruff: noqa: S608 - SQL is put together from constants of this code; every value is a parameter

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import connection

from evalapp.campaigns.models import Campaign, Distribution
from evalapp.core.prepared import first_row

HAND = 5
# With one output an item there is nothing to interleave; one place is on screen, one is prefetched.
HAND_OF_SINGLE_OUTPUTS = 2

# Of the seats, which are few: no place is counted while there is plenty. Assigned work is somebody's already, so
# nobody holds it from others.
HAND_NOW = """
    SELECT (SELECT count(*) FROM evalapp_place h
            WHERE h.reviewer_id = %(user)s AND h.campaign_id = %(campaign)s AND h.state = 'held') AS held,
        CASE WHEN %(is_manual)s OR remaining.places >= %(hand)s * remaining.people THEN %(hand)s
        ELSE greatest(1, least(%(hand)s, remaining.places / (
            SELECT 1 + count(DISTINCT reviewer_id) FROM evalapp_place
            WHERE campaign_id = %(campaign)s AND state = 'held' AND reviewer_id <> %(user)s)))
        END AS most
    FROM (SELECT %(places)s - coalesce(sum(reviews_done), 0) / %(reviews_a_place)s AS places,
                 count(*) FILTER (WHERE left_at IS NULL) AS people
          FROM evalapp_campaignreviewer WHERE campaign_id = %(campaign)s) AS remaining
"""

# Scalar subqueries and not NOT EXISTS: the planner may turn the latter into a hash join, which reads all
# finished work before it offers one place; these are two index look-ups for each place on offer. And
# "<> 1", not IS NULL, which the planner takes to be rare: it would then sort all free places instead of
# walking them in order to the first that fits.
ELIGIBLE = """
    coalesce((SELECT 1 FROM evalapp_place mine
              WHERE mine.item_id = p.item_id AND mine.reviewer_id = %(user)s
                AND p.purpose <> 'repeat' LIMIT 1), 0) <> 1
    AND coalesce((SELECT 1 FROM evalapp_skip s
                  WHERE s.item_id = p.item_id AND s.reviewer_id = %(user)s LIMIT 1), 0) <> 1
"""

# Not where another place of the item waits for this person.
FOR_ANYBODY = """p.assigned_to_id IS NULL AND %(admitted)s
    AND coalesce((SELECT 1 FROM evalapp_place waiting
                  WHERE waiting.item_id = p.item_id AND waiting.assigned_to_id = %(user)s LIMIT 1), 0) <> 1"""

# Neither reviewed nor drafted in part, and not the first of its hand that is so: that one is on its
# holder's screen, or is the next to be.
TO_BE_TAKEN_OVER = f"""
    p.campaign_id = %(campaign)s AND p.state = 'held' AND p.purpose = 'review' AND p.reviews_done = 0
    AND p.reviewer_id <> %(user)s AND {FOR_ANYBODY} AND {ELIGIBLE}
    AND EXISTS (SELECT 1 FROM evalapp_place sooner
                WHERE sooner.reviewer_id = p.reviewer_id AND sooner.campaign_id = p.campaign_id
                  AND sooner.state = 'held' AND sooner.purpose = 'review' AND sooner.reviews_done = 0
                  AND (coalesce(sooner.held_since, '-infinity'), sooner.id)
                    < (coalesce(p.held_since, '-infinity'), p.id))
    AND NOT EXISTS (SELECT 1 FROM evalapp_draft d
                    WHERE d.reviewer_id = p.reviewer_id AND d.item_output_id = ANY(p.outputs_order))
    AND NOT EXISTS (SELECT 1 FROM evalapp_judgementdraft d JOIN evalapp_comparison c ON c.id = d.comparison_id
                    WHERE d.reviewer_id = p.reviewer_id AND c.item_id = p.item_id)
"""

_HOLDER_OF_MOST = f"""
SELECT r.user_id FROM evalapp_campaignreviewer r
WHERE r.campaign_id = %(campaign)s
  AND EXISTS (SELECT 1 FROM evalapp_place p WHERE p.reviewer_id = r.user_id AND {TO_BE_TAKEN_OVER})
ORDER BY (SELECT count(*) FROM evalapp_place h
          WHERE h.reviewer_id = r.user_id AND h.campaign_id = %(campaign)s AND h.state = 'held'
            AND h.reviews_done = 0) DESC, r.id
LIMIT 1 FOR UPDATE OF r SKIP LOCKED
"""

# The last of the hand, which its holder would come to last.
_TAKE_OVER = f"""
WITH last AS (
    SELECT p.id FROM evalapp_place p WHERE p.reviewer_id = %(holder)s AND {TO_BE_TAKEN_OVER}
    ORDER BY p.held_since DESC NULLS LAST, p.id DESC LIMIT 1 FOR UPDATE OF p SKIP LOCKED
)
UPDATE evalapp_place p
SET reviewer_id = %(user)s, held_since = clock_timestamp(), lease_expires_at = now() + %(lease)s
FROM last WHERE p.id = last.id
RETURNING p.id, p.key, p.item_id, p.outputs_order, p.open_slots, p.lease_expires_at
"""


def hand_size(campaign: Campaign) -> int:
    """The most places that a reviewer holds at once."""
    return HAND if campaign.reviews_a_place > 1 else HAND_OF_SINGLE_OUTPUTS


def hand_parameters(campaign: Campaign) -> dict[str, Any]:
    """What `HAND_NOW` takes beside the campaign and the user."""
    return {
        "hand": hand_size(campaign),
        "is_manual": campaign.distribution == Distribution.MANUAL,
        "places": campaign.places_total,
        "reviews_a_place": campaign.reviews_a_place,
    }


class Hand(NamedTuple):
    """How many places a reviewer has, and the most that they may have now."""

    held: int
    most: int

    @property
    def is_full(self) -> bool:
        return self.held >= self.most


def hand_of(parameters: Mapping[str, Any]) -> Hand:
    """The hand of whom the parameters of a claim are; their seat is locked.

    Its most is `hand_size`, or what is left of the campaign's work divided by those who are at work on it, at
    least 1. Who holds something is at work, and so is who asks.
    """
    held, most = first_row(HAND_NOW, parameters) or (0, 1)
    return Hand(held, most)


def take_over(parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Give a reviewer who holds nothing a place that another holds and has not begun; its row, or none.

    ``parameters`` as for a claim; the reviewer's own seat is locked. The holder's seat is locked as well, so
    that they submit nothing meanwhile: which place is first in their hand is then read anew. Neither lock is
    waited for.
    """
    with connection.cursor() as database:
        database.execute(_HOLDER_OF_MOST, parameters)
        if (found := database.fetchone()) is None:
            return []
        database.execute(_TAKE_OVER, {**parameters, "holder": found[0]})
        return list(database.fetchall())
