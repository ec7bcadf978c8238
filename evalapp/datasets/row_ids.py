"""The metadata field in which rows have ids of their own, so that nobody needs to rely on their order."""

import re
from typing import NamedTuple

from django.db.models import Count, QuerySet
from django.db.models.fields.json import KeyTextTransform

from evalapp.datasets.models import Example

# In this order where several are unique: what imported ratings call it first.
_DEFAULT = ("item", "id", "key", "uid", "uuid", "guid")
_ENDS_LIKE_AN_ID = re.compile(r".*([_\-. ](id|key|number|no|nr|ref|reference)|Id|ID|Number)")
_MOST_FIELDS = 20


class RowIds(NamedTuple):
    """``field``: the metadata field that is called like an id ("item", "id", "key", "…_id", "…_number"), ""
    where there is none; a text or a number that happens to differ in every row is none. ``is_unique``:
    whether it names each row alone. Without that, it can still tell that a file means another row.
    """

    field: str
    is_unique: bool


def row_ids_of(examples: QuerySet[Example]) -> RowIds:
    """What these rows are called by; of several such fields a unique one."""
    first = examples.order_by("row_number").values_list("metadata", flat=True).first() or {}
    names = sorted((name for name in first if _is_called_like_an_id(name)), key=_rank)[:_MOST_FIELDS]
    if not names:
        return RowIds("", is_unique=False)
    values = {f"value_{n}": KeyTextTransform(name, "metadata") for n, name in enumerate(names)}
    counts = {f"distinct_{n}": Count(f"value_{n}", distinct=True) for n in range(len(names))}
    found = examples.order_by().annotate(**values).aggregate(rows=Count("pk"), **counts)
    distinct = [found[f"distinct_{n}"] for n in range(len(names))]
    most = max(distinct)
    return RowIds(names[distinct.index(most)], is_unique=most == found["rows"])


def _is_called_like_an_id(name: str) -> bool:
    return name.lower() in _DEFAULT or _ENDS_LIKE_AN_ID.fullmatch(name) is not None


def _rank(name: str) -> tuple[int, str]:
    bare = name.lower()
    return (_DEFAULT.index(bare) if bare in _DEFAULT else len(_DEFAULT), name)
