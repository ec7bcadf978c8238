"""The metadata of a campaign's examples: which fields there are, their values, and who has which."""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from django.db import connection
from django.db.models import F, Func, QuerySet, TextField, Value

from evalapp.campaigns.models import Campaign, Item, Purpose

# A field with more values is told by typing; nobody ticks one of a hundred boxes.
MOST_VALUES = 30

_FIELDS = """
WITH counted AS (
    SELECT each.key, each.value, count(*) AS items
    FROM evalapp_item i JOIN evalapp_example e ON e.id = i.example_id
    CROSS JOIN LATERAL jsonb_each_text(
        CASE WHEN jsonb_typeof(e.metadata) = 'object' THEN e.metadata ELSE '{}' END) AS each
    WHERE i.campaign_id = %(campaign)s AND i.purpose = 'review' AND each.value IS NOT NULL
    GROUP BY each.key, each.value),
ranked AS (
    SELECT key, value, items, count(*) OVER (PARTITION BY key) AS distinct_values,
        row_number() OVER (PARTITION BY key ORDER BY value) AS place
    FROM counted)
SELECT key, value, items, distinct_values FROM ranked WHERE place <= %(most)s ORDER BY key, place
"""


class FieldValue(NamedTuple):
    value: str
    items: int


class ExampleField(NamedTuple):
    """A key of the examples' metadata. ``values`` are the first ``MOST_VALUES`` of its ``distinct`` ones."""

    name: str
    values: tuple[FieldValue, ...]
    distinct: int

    @property
    def is_listed(self) -> bool:
        return self.distinct <= MOST_VALUES


def example_fields(campaign: Campaign) -> list[ExampleField]:
    """The fields of the campaign's items for review by name, with how many items have each value."""
    return list(_fields_of(campaign.pk, campaign.items_total))


# Items are added, never changed, and examples are never edited; of many items this is the slowest read of a page.
@lru_cache(maxsize=256)
def _fields_of(campaign_id: int, items: int) -> tuple[ExampleField, ...]:
    """``items`` is the campaign's number of items, by which a larger campaign is another one."""
    with connection.cursor() as cursor:
        cursor.execute(_FIELDS, {"campaign": campaign_id, "most": MOST_VALUES})
        rows = cursor.fetchall()
    values: dict[str, list[FieldValue]] = {}
    distinct: dict[str, int] = {}
    for key, value, having, different in rows:
        values.setdefault(key, []).append(FieldValue(value, having))
        distinct[key] = different
    return tuple(ExampleField(key, tuple(_in_order(found)), distinct[key]) for key, found in values.items())


def _in_order(values: list[FieldValue]) -> list[FieldValue]:
    """Numbers by size, 9 before 10; anything else stays in the order of its letters."""
    try:
        numbers = [float(each.value) for each in values]
    except ValueError:
        return values
    if not all(map(math.isfinite, numbers)):
        return values
    return [each for _, each in sorted(zip(numbers, values, strict=True))]


def items_of(campaign: Campaign) -> QuerySet[Item]:
    return Item.objects.filter(campaign=campaign, purpose=Purpose.REVIEW)


def value_of(field: str) -> Func:
    """A metadata field of an item's example as text; NULL where it has none."""
    return Func(
        F("example__metadata"), Value(field), function="jsonb_extract_path_text", output_field=TextField()
    )


def values_by_item(campaign: Campaign, fields: Iterable[str]) -> dict[str, dict[int, str]]:
    """By field: item → value, for the items that have one; one query for all fields."""
    names = list(fields)
    found: dict[str, dict[int, str]] = {name: {} for name in names}
    if not names:
        return found
    columns = {f"field_{position}": value_of(name) for position, name in enumerate(names)}
    for item_id, *values in items_of(campaign).annotate(**columns).values_list("pk", *columns):
        for name, value in zip(names, values, strict=True):
            if value is not None:
                found[name][item_id] = value
    return found
