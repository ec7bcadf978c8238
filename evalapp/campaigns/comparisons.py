"""Comparisons of outputs: which outputs of an item are compared, and in which arrangement each is shown.

`opening.make_assignments` creates items and assignments as for any campaign; then `arrange_comparisons` gives
each assignment the item's comparisons. Positions are random and balanced: the first order is drawn from the
campaign's seed, and it rotates by one from assignment to assignment, so that every output has each position
equally often (a difference of 1 at most) in every item, and over the whole campaign.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

from django.db import connection
from django.db.models import Sum

from evalapp.campaigns.assignment_plan import ITEM_NAME
from evalapp.campaigns.models import Assignment, Campaign, Comparison, Method

Shown = TypeVar("Shown")

RANKED = range(3, 6)
"""The number of candidates that can be ranked at once."""

_PAIRS = """
INSERT INTO evalapp_comparison (item_id, number, outputs, created_at)
SELECT i.id, pair.number - 1, ARRAY[l.id, r.id], now()
FROM evalapp_item i
CROSS JOIN unnest(%(lefts)s::bigint[], %(rights)s::bigint[]) WITH ORDINALITY
    AS pair(left_id, right_id, number)
JOIN evalapp_itemoutput l ON l.item_id = i.id AND l.candidate_id = pair.left_id
JOIN evalapp_itemoutput r ON r.item_id = i.id AND r.candidate_id = pair.right_id
WHERE i.campaign_id = %(campaign)s AND NOT EXISTS (SELECT 1 FROM evalapp_comparison c WHERE c.item_id = i.id)
ORDER BY i.id, pair.number
"""

# The order from which assignments turn is drawn anew every few items: were it one for the whole campaign,
# one candidate would always follow the other, and a reviewer could learn to tell them. Items that check
# reviewers are numbered apart, so that they do not disturb the balance of the others.
_RANKINGS = f"""
WITH item AS (
    SELECT i.id, CASE i.purpose WHEN 'review' THEN '' ELSE i.purpose || ':' END || (row_number() OVER (
            PARTITION BY i.purpose ORDER BY md5(%(seed)s || ':item:' || {ITEM_NAME})) - 1) / %(width)s
                AS drawn
    FROM evalapp_item i JOIN evalapp_example e ON e.id = i.example_id
    WHERE i.campaign_id = %(campaign)s
)
INSERT INTO evalapp_comparison (item_id, number, outputs, created_at)
SELECT item.id, 0,
    (SELECT array_agg(o.id ORDER BY md5(%(seed)s || ':ranking:' || item.drawn || ':' || c.position))
     FROM evalapp_itemoutput o JOIN evalapp_campaigncandidate c ON c.id = o.candidate_id
     WHERE o.item_id = item.id), now()
FROM item
WHERE NOT EXISTS (SELECT 1 FROM evalapp_comparison c WHERE c.item_id = item.id)
ORDER BY item.id
"""  # noqa: S608 - a constant

_IN_TURN = f"""
WITH item AS (
    SELECT i.id, {ITEM_NAME} AS name,
        row_number() OVER (ORDER BY md5(%(seed)s || ':item:' || {ITEM_NAME})) - 1 AS position
    FROM evalapp_item i JOIN evalapp_example e ON e.id = i.example_id
    WHERE i.campaign_id = %(campaign)s AND i.purpose = 'review'
), turn AS (
    SELECT p.id, item.name,
        (row_number() OVER (PARTITION BY item.position / %(together)s ORDER BY item.position, p.number) - 1)
            %% %(width)s AS arrangement
    FROM evalapp_assignment p JOIN item ON item.id = p.item_id
)
"""  # noqa: S608 - a constant
_AS_CHOSEN = f"""
WITH turn AS (
    SELECT chosen.id, {ITEM_NAME} AS name, chosen.arrangement
    FROM unnest(%(assignments)s::bigint[], %(arrangements)s::int[]) AS chosen(id, arrangement)
    JOIN evalapp_assignment p ON p.id = chosen.id
    JOIN evalapp_item i ON i.id = p.item_id JOIN evalapp_example e ON e.id = i.example_id
)
"""  # noqa: S608 - a constant
_UPDATE_ASSIGNMENTS = """
UPDATE evalapp_assignment p
SET arrangement = turn.arrangement, outputs_total = %(count)s,
    open_slots = ARRAY(SELECT generate_series(0, %(count)s - 1)),
    outputs_order = (
        SELECT array_agg(c.id ORDER BY md5(
            %(seed)s || ':comparison:' || turn.name || ':' || p.number || ':' || c.number))
        FROM evalapp_comparison c WHERE c.item_id = p.item_id)
FROM turn WHERE p.id = turn.id
"""


class Work(NamedTuple):
    """The work of one assignment: ``times`` reviews of a ``unit`` (a noun in the singular)."""

    times: int
    unit: str


def work_of(method: str, candidates: int, *, has_baseline: bool = False) -> Work:
    """The work of one reviewer with one item, by the campaign's method."""
    if method == Method.PAIRWISE:
        pairs = candidates - 1 if has_baseline else candidates * (candidates - 1) // 2
        return Work(max(pairs, 0), "pair")
    if method == Method.RANKING:
        return Work(1, "ranking")
    return Work(candidates, "candidate")


def work_of_campaign(campaign: Campaign) -> Work:
    """`work_of` a campaign's design."""
    has_baseline = campaign.baseline_id is not None
    return work_of(campaign.method, campaign.candidates.count(), has_baseline=has_baseline)


def arrangements_of(campaign: Campaign) -> int:
    """The number of arrangements of the outputs in its comparisons."""
    return campaign.candidates.count() if campaign.method == Method.RANKING else 2


def compared_sets(campaign: Campaign) -> set[frozenset[int]]:
    """Sets of model versions whose outputs are compared in the campaign: each pair, or all in a ranking."""
    versions = list(campaign.candidates.values_list("model_version", flat=True))
    if campaign.method == Method.RANKING:
        return {frozenset(versions)}
    baseline = None if campaign.baseline_id is None else versions.index(campaign.baseline_id)
    pairs = oriented_pairs(len(versions), baseline=baseline)
    return {frozenset((versions[left], versions[right])) for left, right in pairs}


def method_problem(method: str, candidates: Sequence[int], baseline: int | None) -> tuple[str, str] | None:
    """The field and message of a problem, or None; ``candidates`` and ``baseline`` are ids of model
    versions.
    """
    count = len(candidates)
    if method == Method.PAIRWISE and count < 2:
        return "candidates", "To compare answers in pairs, choose at least two candidates."
    if method == Method.RANKING and count not in RANKED:
        return (
            "candidates",
            (
                f"To put answers in order, choose {RANKED.start} to {RANKED.stop - 1} candidates; {count}"
                " chosen."
            ),
        )
    if baseline is None:
        return None
    if method != Method.PAIRWISE:
        return (
            "baseline",
            "Only a pairwise comparison has a candidate that all are compared with. Leave it out.",
        )
    if baseline not in candidates:
        return (
            "baseline",
            "The candidate that all are compared with is not among the chosen candidates. Choose it too.",
        )
    return None


def oriented_pairs(count: int, *, baseline: int | None = None) -> list[tuple[int, int]]:
    """Pairs of ``count`` candidates, numbered from 0, as (left, right) before rotation.

    Each candidate is left as often as right if it has an even number of pairs, else once more or less. With a
    ``baseline``, only its pairs.
    """
    if baseline is not None:
        others = [each for each in range(count) if each != baseline]
        return [
            (baseline, other) if position % 2 else (other, baseline) for position, other in enumerate(others)
        ]
    return [
        (first, second) if _is_left(first, second, count) else (second, first)
        for first, second in combinations(range(count), 2)
    ]


def _is_left(first: int, second: int, count: int) -> bool:
    """As at a round table: each is left of the half that follows it."""
    return 2 * (second - first) <= count


def arranged(outputs: Sequence[Shown], arrangement: int) -> list[Shown]:
    """The outputs in the order on the screen, A first."""
    by = arrangement % len(outputs)
    return [*outputs[by:], *outputs[:by]]


def insert_comparisons(*, campaign: Campaign) -> None:
    """Create comparisons for the campaign's items without any. Call it once the items have their outputs."""
    drawn = _candidates_in_drawn_order(campaign)
    parameters: dict[str, Any] = {"campaign": campaign.pk, "seed": str(campaign.seed), "width": len(drawn)}
    if campaign.method == Method.RANKING:
        statement = _RANKINGS
    else:
        versions = [version for _, version in drawn]
        baseline = None if campaign.baseline_id is None else versions.index(campaign.baseline_id)
        pairs = oriented_pairs(len(drawn), baseline=baseline)
        statement = _PAIRS
        parameters["lefts"] = [drawn[left][0] for left, _ in pairs]
        parameters["rights"] = [drawn[right][0] for _, right in pairs]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        cursor.execute(f"ANALYZE {Comparison._meta.db_table}")


def arrange_comparisons(*, campaign: Campaign) -> int:
    """Create the comparisons of a launched campaign's items and give them to its assignments; returns the
    number of reviews.

    Call it in the launch's transaction, after items, outputs and assignments, and before check assignments,
    which have their own arrangement (`checks`).
    """
    insert_comparisons(campaign=campaign)
    width = arrangements_of(campaign)
    parameters: dict[str, Any] = {
        "campaign": campaign.pk,
        "width": width,
        # Rotation continues over this many items: all, or those that share a drawn order.
        "together": width if campaign.method == Method.RANKING else 2**31 - 1,
    }
    _give_comparisons(campaign, _IN_TURN, parameters)
    asked = Assignment.objects.filter(campaign=campaign).aggregate(asked=Sum("outputs_total"))["asked"]
    return int(asked or 0)


def arrange_assignments(*, campaign: Campaign, arrangements: Mapping[int, int]) -> None:
    """Give the assignments with these ids their items' comparisons in the given arrangements."""
    assignments: dict[str, Any] = {
        "assignments": list(arrangements),
        "arrangements": list(arrangements.values()),
    }
    _give_comparisons(campaign, _AS_CHOSEN, assignments)


def _give_comparisons(campaign: Campaign, turns: str, parameters: Mapping[str, Any]) -> None:
    own: dict[str, Any] = {"seed": str(campaign.seed), "count": work_of_campaign(campaign).times}
    with connection.cursor() as cursor:
        cursor.execute(turns + _UPDATE_ASSIGNMENTS, {**parameters, **own})
        cursor.execute(f"ANALYZE {Assignment._meta.db_table}")


def _candidates_in_drawn_order(campaign: Campaign) -> list[tuple[int, int]]:
    """Pairs of campaign candidate id and model version id, in an order drawn from the seed."""
    candidates = campaign.candidates.values_list("position", "pk", "model_version")

    def draw(position: int) -> str:
        return hashlib.md5(f"{campaign.seed}:side:{position}".encode(), usedforsecurity=False).hexdigest()

    return [(pk, version) for _, pk, version in sorted(candidates, key=lambda each: draw(each[0]))]
