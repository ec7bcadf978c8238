"""The metadata field in which rows have ids of their own, so that nobody needs to rely on their order."""

import re

from django.db.models import Count, QuerySet
from django.db.models.fields.json import KeyTextTransform

from evalapp.datasets.models import Example

# In this order where several are unique: what imported ratings call it first.
_USUAL = ("item", "id", "key", "uid", "uuid", "guid")
_ENDS_LIKE_AN_ID = re.compile(r".*([_\-. ]id|Id|ID)")
_MOST_FIELDS = 20


def id_field_of(examples: QuerySet[Example]) -> str:
    """The metadata field that names each of these rows alone, or "" where there is none.

    Only fields that are called like an id count ("item", "id", "key", "…_id"): a text or a number that
    happens to differ in every row is none.
    """
    first = examples.order_by("row_number").values_list("metadata", flat=True).first() or {}
    names = sorted((name for name in first if _is_called_like_an_id(name)), key=_rank)[:_MOST_FIELDS]
    if not names:
        return ""
    values = {f"value_{n}": KeyTextTransform(name, "metadata") for n, name in enumerate(names)}
    counts = {f"distinct_{n}": Count(f"value_{n}", distinct=True) for n in range(len(names))}
    found = examples.order_by().annotate(**values).aggregate(rows=Count("pk"), **counts)
    unique = (name for n, name in enumerate(names) if found[f"distinct_{n}"] == found["rows"])
    return next(unique, "")


def _is_called_like_an_id(name: str) -> bool:
    return name.lower() in _USUAL or _ENDS_LIKE_AN_ID.fullmatch(name) is not None


def _rank(name: str) -> tuple[int, str]:
    bare = name.lower()
    return (_USUAL.index(bare) if bare in _USUAL else len(_USUAL), name)
