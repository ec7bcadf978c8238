"""Finds the metadata field that holds rows' own ids, so that files need not rely on row order."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db.models import Count, QuerySet
from django.db.models.fields.json import KeyTextTransform

from evalapp.core.errors import InvalidError
from evalapp.datasets.models import Example
from evalapp.imports.mapping import id_columns

_MOST_FIELDS = 20


class RowIds(NamedTuple):
    """``field``: the metadata field that is called like an id ("item", "id", "key", "…_id", "…_number"), ""
    where there is none; a text or a number that happens to differ in every row is none. ``is_unique``:
    whether it names each row alone. Without that, it can still tell that a file means another row.
    """

    field: str
    is_unique: bool


def row_ids_of(examples: QuerySet[Example]) -> RowIds:
    """The id field of these rows; a unique one is preferred."""
    first = examples.order_by("row_number").values_list("metadata", flat=True).first() or {}
    names = id_columns(first)[:_MOST_FIELDS]
    if not names:
        return RowIds("", is_unique=False)
    values = {f"value_{n}": KeyTextTransform(name, "metadata") for n, name in enumerate(names)}
    counts = {f"distinct_{n}": Count(f"value_{n}", distinct=True) for n in range(len(names))}
    found = examples.order_by().annotate(**values).aggregate(rows=Count("pk"), **counts)
    distinct = [found[f"distinct_{n}"] for n in range(len(names))]
    most = max(distinct)
    return RowIds(names[distinct.index(most)], is_unique=most == found["rows"])


def repeated_ids(rows: Iterable[Mapping[str, Any]]) -> str:
    """A note for people where rows repeat the id of an earlier one; "" where none does. ``rows``: the
    metadata of each row; the id field of the first row is used for all.
    """
    field, seen, repeated = "", set[int](), 0
    for place, metadata in enumerate(rows):
        if place == 0:
            field = next(iter(id_columns(metadata)), "")
        if not field:
            return ""
        value = metadata.get(field)
        if value in (None, ""):
            continue
        repeated += hash(str(value)) in seen
        seen.add(hash(str(value)))
    if not repeated:
        return ""
    have = "1 row has" if repeated == 1 else f"{repeated:,} rows have"
    return (
        f"{have} the “{field}” of an earlier row. All are imported, and in later files these rows are"
        " matched by their order."
    )


def item_field_of(examples: QuerySet[Example], wanted: str, *, of: object) -> str:
    """The metadata field that names an item in a file: the ``wanted`` one, else what the rows are called
    by; "" where that is nothing. Raises InvalidError (``item_field``) for a field that no row has;
    ``of`` says whose rows.
    """
    wanted = wanted.strip()
    if not wanted:
        return row_ids_of(examples).field
    if not examples.filter(metadata__has_key=wanted).exists():
        first = examples.order_by("row_number").values_list("metadata", flat=True).first() or {}
        known = ", ".join(sorted(first))[:200] or "none"
        raise InvalidError(
            f"No row of {of} has a metadata field “{wanted[:60]}”. Its first row has: {known}.",
            field="item_field",
        )
    return wanted
