"""The number of groups of rows (documents, clients, conversations) that the items of a campaign come from.

A row without a group is one by itself. Several outputs of one row are one group.
"""

import math
from collections import Counter

from django.db.models import Count, QuerySet

from evalapp.campaigns.models import Campaign, Purpose
from evalapp.datasets.models import Example


def groups_of_items(campaign: Campaign) -> int | None:
    """The groups of an open campaign's items; None where each item is by itself."""
    items = campaign.items.filter(purpose=Purpose.REVIEW)
    sizes = _groups_by_size(Example.objects.filter(pk__in=items.values("example")))
    return _fewer_than_items(sizes.total() or campaign.items_total // campaign.samples, campaign.items_total)


def expected_groups(examples: QuerySet[Example], drawn: int, *, samples: int = 1) -> int | None:
    """The mean number of groups when ``drawn`` of the examples are drawn at random, each for ``samples``
    items; None where each item is by itself.
    """
    sizes = _groups_by_size(examples)
    rows = _number_of_rows(sizes)
    if not drawn or rows == sizes.total():
        return _fewer_than_items(drawn, drawn * samples)
    drawn = min(drawn, rows)
    found = sum(count * (1 - _chance_of_none(rows, size, drawn)) for size, count in sizes.items())
    return _fewer_than_items(round(found), drawn * samples)


def _fewer_than_items(groups: int, items: int) -> int | None:
    return groups if groups < items else None


def _groups_by_size(examples: QuerySet[Example]) -> Counter[int]:
    """The number of groups by size in rows; empty if no row has a group."""
    grouped = examples.exclude(group_key="").order_by().values("group_key").annotate(rows=Count("pk"))
    found = Counter(grouped.values_list("rows", flat=True).iterator())
    if found:
        found[1] += examples.filter(group_key="").count()
    return found


def _number_of_rows(sizes: Counter[int]) -> int:
    return sum(size * count for size, count in sizes.items())


def _chance_of_none(rows: int, size: int, drawn: int) -> float:
    """The probability that none of ``size`` rows is among ``drawn`` rows of all ``rows``."""
    if drawn > rows - size:
        return 0.0

    def ways(of: int) -> float:
        return math.lgamma(of + 1) - math.lgamma(drawn + 1) - math.lgamma(of - drawn + 1)

    return math.exp(ways(rows - size) - ways(rows))
