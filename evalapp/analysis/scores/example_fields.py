"""The metadata fields of a campaign's examples, their values, and the items with each value."""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from django.db import connection
from django.db.models import Expression, F, Func, QuerySet, TextField, Value
from django.db.models.functions import Coalesce

from evalapp.campaigns.models import Campaign, Item, Purpose

# With more values, a field's value is typed: nobody ticks one of a hundred boxes.
MOST_VALUES = 30

_FIELDS = """
WITH RECURSIVE found AS (
    SELECT i.id AS item, each.key, each.value, strpos(each.key, '.') = 0
        AND jsonb_typeof(each.value) = 'object' AS goes_on
    FROM evalapp_item i JOIN evalapp_example e ON e.id = i.example_id
    CROSS JOIN LATERAL jsonb_each(
        CASE WHEN jsonb_typeof(e.metadata) = 'object' THEN e.metadata ELSE '{}' END) AS each
    WHERE i.campaign_id = %(campaign)s AND i.purpose = 'review'
    UNION ALL
    SELECT found.item, found.key || '.' || each.key, each.value, jsonb_typeof(each.value) = 'object'
    FROM found CROSS JOIN LATERAL jsonb_each(CASE WHEN found.goes_on THEN found.value ELSE '{}' END) AS each
    WHERE strpos(each.key, '.') = 0),
counted AS (
    SELECT key, value #>> '{}' AS value, count(DISTINCT item) AS items
    FROM found WHERE NOT goes_on AND jsonb_typeof(value) <> 'null'
    GROUP BY key, value #>> '{}'),
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
    """A key of the examples' metadata, or a path to a nested one: "client.region". ``values``: the first
    ``MOST_VALUES`` of its ``distinct`` values.
    """

    name: str
    values: tuple[FieldValue, ...]
    distinct: int

    @property
    def is_listed(self) -> bool:
        return self.distinct <= MOST_VALUES


def example_fields(campaign: Campaign) -> list[ExampleField]:
    """Metadata fields of the campaign's items for review, by name, with the number of items by value."""
    return list(_fields_of(campaign.pk, campaign.items_total))


# Cached: items are added but never changed, and examples are never edited. With many items this is the
# slowest read of a page.
@lru_cache(maxsize=256)
def _fields_of(campaign_id: int, items: int) -> tuple[ExampleField, ...]:
    """Metadata fields of a campaign. ``items``: its number of items, so that the cache is renewed when items
    are added.
    """
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
    """Numbers by size, 9 before 10; anything else alphabetically."""
    try:
        numbers = [float(each.value) for each in values]
    except ValueError:
        return values
    if not all(map(math.isfinite, numbers)):
        return values
    return [each for _, each in sorted(zip(numbers, values, strict=True))]


def items_of(campaign: Campaign) -> QuerySet[Item]:
    return Item.objects.filter(campaign=campaign, purpose=Purpose.REVIEW)


def places_of(field: str) -> list[list[str]]:
    """The keys that lead to a field's value; the first path that does, because keys may contain dots."""
    return [[field], field.split(".")] if "." in field else [[field]]


def value_of(field: str) -> Expression:
    """A metadata field of an item's example as text; NULL without one."""
    found = [
        Func(
            F("example__metadata"),
            *map(Value, keys),
            function="jsonb_extract_path_text",
            output_field=TextField(),
        )
        for keys in places_of(field)
    ]
    return Coalesce(*found) if len(found) > 1 else found[0]


def values_by_item(campaign: Campaign, fields: Iterable[str]) -> dict[str, dict[int, str]]:
    """By field: item → value, for items that have one; one query for all fields."""
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
