"""Positions of outputs in assignments that are added to a running campaign with comparisons.

Assignments in progress or submitted keep their arrangement. An added one takes the arrangement that its item
has had least, and among equals the one whose outputs have had their positions least in the campaign. So every
output has each position equally often in every item (a difference of 1 at most), as at the launch.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Max

from evalapp.campaigns.comparisons import (
    arrange_assignments,
    arranged,
    arrangements_of,
    insert_comparisons,
)
from evalapp.campaigns.models import Campaign, Comparison, ItemOutput, Purpose
from evalapp.campaigns.opening import insert_assignments

# How often each candidate has each position, by number of the comparison in its item, over the whole
# campaign.
_COUNT_POSITIONS = """
SELECT c.number, entry.candidate_id,
    (shown.nth - 1 - p.arrangement %% %(width)s + %(width)s) %% %(width)s AS position, count(*)
FROM evalapp_assignment p JOIN evalapp_comparison c ON c.item_id = p.item_id
CROSS JOIN unnest(c.outputs) WITH ORDINALITY AS shown(output, nth)
JOIN evalapp_itemoutput entry ON entry.id = shown.output
WHERE p.campaign_id = %(campaign)s AND p.purpose = 'review' AND p.id <= %(last)s
GROUP BY 1, 2, 3
"""


class ComparedCandidates(NamedTuple):
    """Candidates in the item's comparison with that ``number``, in the order that arrangements rotate."""

    number: int
    candidates: Sequence[int]


def insert_added_assignments(
    *, campaign: Campaign, items: Sequence[int] | None = None, is_added: bool = False
) -> int:
    """`insert_assignments` for a running campaign, with arrangements if it compares outputs. Lock its row
    first.
    """
    last = campaign.assignments.aggregate(last=Max("pk"))["last"] or 0
    added = insert_assignments(campaign=campaign, items=items, is_added=is_added)
    if campaign.compares:
        _arrange_added(campaign, last)
    return added


def _arrange_added(campaign: Campaign, last: int) -> None:
    """Give assignments with ids above ``last`` their comparisons and arrangements."""
    insert_comparisons(campaign=campaign)
    reviews = campaign.assignments.filter(purpose=Purpose.REVIEW)
    assignments = list(reviews.filter(pk__gt=last).order_by("rank").values_list("pk", "item_id"))
    items = {item for _, item in assignments}
    stood = reviews.filter(pk__lte=last, item__in=items).values_list("item_id", "arrangement")
    chosen = balanced_arrangements(
        [item for _, item in assignments],
        _comparisons_by_item(items),
        had=Counter(stood),
        standing=_position_counts(campaign, last),
        width=arrangements_of(campaign),
        seed=str(campaign.seed),
    )
    arrange_assignments(
        campaign=campaign, arrangements=dict(zip([pk for pk, _ in assignments], chosen, strict=True))
    )


def _comparisons_by_item(items: set[int]) -> dict[int, list[ComparedCandidates]]:
    owner = dict(ItemOutput.objects.filter(item__in=items).values_list("pk", "candidate"))
    met: dict[int, list[ComparedCandidates]] = defaultdict(list)
    compared = Comparison.objects.filter(item__in=items).order_by("item", "number")
    for item, number, outputs in compared.values_list("item", "number", "outputs"):
        met[item].append(ComparedCandidates(number, [owner[output] for output in outputs]))
    return met


def _position_counts(campaign: Campaign, last: int) -> Counter[tuple[int, int, int]]:
    keys: dict[str, Any] = {"campaign": campaign.pk, "last": last, "width": arrangements_of(campaign)}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_POSITIONS, keys)
        return Counter({(number, who, position): n for number, who, position, n in cursor.fetchall()})


def balanced_arrangements(
    items: Sequence[int],
    met: Mapping[int, Sequence[ComparedCandidates]],
    *,
    had: Counter[tuple[int, int]],
    standing: Counter[tuple[int, int, int]],
    width: int,
    seed: str,
) -> list[int]:
    """An arrangement for one assignment of each of ``items``, in order.

    ``had``: how often an item had an arrangement; ``standing``: how often a candidate has a position, by
    number of the comparison. The seed decides between equals.
    """
    had, standing = Counter(had), Counter(standing)
    draw = random.Random(f"{seed}:added")
    chosen = []
    for item in items:

        def shown(arrangement: int, item: int = item) -> list[tuple[int, int, int]]:
            return [
                (each.number, candidate, position)
                for each in met[item]
                for position, candidate in enumerate(arranged(each.candidates, arrangement))
            ]

        best = min(
            draw.sample(range(width), width),
            key=lambda arrangement: (
                had[item, arrangement],
                sum(standing[each] for each in shown(arrangement)),
            ),
        )
        chosen.append(best)
        had[item, best] += 1
        standing.update(shown(best))
    return chosen
