"""Reviewers for the assignments of a campaign with manual assignment, at its launch and when assignments are
added.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, F
from django.db.models.functions import Coalesce

from evalapp.campaigns.distribution import distribute, level_targets
from evalapp.campaigns.models import Assignment, Campaign, Purpose, Skip

# Names an item in what the seed is hashed with, the same in every database.
ITEM_NAME = "(e.row_number || CASE WHEN i.sample_index = 0 THEN '' ELSE '.' || i.sample_index END)"

# Items that have fewer assignments than their overlap, with the number of those they have.
LACKING = f"""
    SELECT i.id, {ITEM_NAME} AS name, i.overlap, present.assignments,
        row_number() OVER (ORDER BY md5(%(seed)s || ':item:' || {ITEM_NAME})) - 1 AS position
    FROM evalapp_item i JOIN evalapp_example e ON e.id = i.example_id
    CROSS JOIN LATERAL (
        SELECT coalesce(max(p.number), 0) AS assignments FROM evalapp_assignment p
        WHERE p.item_id = i.id AND p.purpose = 'review') AS present
    WHERE i.campaign_id = %(campaign)s AND i.purpose = 'review' AND i.overlap > present.assignments
      AND (%(items)s::bigint[] IS NULL OR i.id = ANY(%(items)s::bigint[]))
"""  # noqa: S608 - a constant

_NEEDS = f"SELECT id, overlap - assignments, assignments FROM ({LACKING}) AS lacking ORDER BY position"  # noqa: S608 - a constant


class PlannedAssignment(NamedTuple):
    """An assignment to create, with its reviewer."""

    item_id: int
    number: int
    user_id: int


def plan_assignments(campaign: Campaign, items: Sequence[int] | None = None) -> list[PlannedAssignment]:
    """Reviewers for the missing assignments of these items (None: all): even loads within everybody's quota,
    nobody twice for an item. Assignments that nobody can take are left out.
    """
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "campaign": campaign.pk,
            "seed": str(campaign.seed),
            "items": list(items) if items is not None else None,
        }
        cursor.execute(_NEEDS, parameters)
        lacking = cursor.fetchall()
    campaign_reviewers = list(
        campaign.reviewers.filter(left_at=None)
        .order_by("pk")
        .annotate(most=Coalesce(F("quota"), F("campaign__quota")))
    )
    loads_of = _loads(campaign)
    loads = [loads_of.get(campaign_reviewer.user_id, 0) for campaign_reviewer in campaign_reviewers]
    rooms = [
        len(lacking)
        if campaign_reviewer.most is None
        else min(len(lacking), max(0, campaign_reviewer.most - load))
        for campaign_reviewer, load in zip(campaign_reviewers, loads, strict=True)
    ]
    needs = [need for _, need, _ in lacking]
    targets = level_targets(loads, rooms, sum(needs), seed=str(campaign.seed))
    numbers = {
        campaign_reviewer.user_id: number for number, campaign_reviewer in enumerate(campaign_reviewers)
    }
    taken = _people_by_item(campaign, [item for item, _, _ in lacking], numbers) if loads_of else None
    chosen = distribute(needs, targets, seed=str(campaign.seed), taken=taken)
    return [
        PlannedAssignment(item, present + offset, campaign_reviewers[person].user_id)
        for (item, _, present), people in zip(lacking, chosen, strict=True)
        for offset, person in enumerate(people, start=1)
        if person is not None
    ]


def _loads(campaign: Campaign) -> dict[int, int]:
    """The number of each person's assignments: assigned, in progress or submitted."""
    counted = (
        campaign.assignments.filter(purpose=Purpose.REVIEW)
        .annotate(whose=Coalesce("reviewer", "assigned_to"))
        .exclude(whose=None)
        .values_list("whose")
        .annotate(n=Count("pk"))
        .order_by()
    )
    return dict(counted)


def _people_by_item(campaign: Campaign, items: Sequence[int], numbers: dict[int, int]) -> list[set[int]]:
    """For each item, the people who have an assignment of it, or skipped it."""
    taken: dict[int, set[int]] = {item: set() for item in items}
    assignments = Assignment.objects.filter(campaign=campaign, item__in=items).values_list(
        "item", "reviewer", "assigned_to"
    )
    skips = Skip.objects.filter(campaign=campaign, item__in=items).values_list("item", "reviewer")
    for item, *people in [*assignments, *skips]:
        taken[item].update(numbers[person] for person in people if person in numbers)
    return [taken[item] for item in items]
