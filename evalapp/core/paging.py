"""Keyset paging: a page starts after a key, so every page costs the same and no row is skipped or
repeated.
"""

from typing import Any, Generic, NamedTuple, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from evalapp.core.errors import InvalidError

Row = TypeVar("Row", bound=Model)
PAGE_SIZE = 50
LARGEST_PAGE = 200
_SALT = "evalapp.page"


class Page(NamedTuple, Generic[Row]):
    """``rows`` of this page; ``after``: its start; ``next_after``: the start of the next page, or ""."""

    rows: list[Row]
    after: str
    next_after: str


def keyset_page(
    queryset: QuerySet[Row], request: HttpRequest, *, order: tuple[str, ...] = ("-id",), size: int = PAGE_SIZE
) -> Page[Row]:
    """One page of ``queryset`` in ``order``; the last field must be unique, none may be null.

    Reads ``after`` from the URL. Raises InvalidError if this function did not create it.
    """
    size = min(size, LARGEST_PAGE)
    after = request.GET.get("after", "")
    if after:
        queryset = queryset.filter(_after_key(_key_from_text(after, order), order))
    rows = list(queryset.order_by(*order)[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    next_after = _text_of_key(rows[-1], order) if more else ""
    return Page(rows, after, next_after)


def _after_key(key: list[Any], order: tuple[str, ...]) -> Q:
    condition = Q()
    equal = Q()
    for field, value in zip(order, key, strict=True):
        name = field.removeprefix("-")
        comparison = "lt" if field.startswith("-") else "gt"
        condition |= equal & Q(**{f"{name}__{comparison}": value})
        equal &= Q(**{name: value})
    return condition


def _text_of_key(row: Model, order: tuple[str, ...]) -> str:
    values = []
    for field in order:
        value: Any = row
        for part in field.removeprefix("-").split("__"):
            value = getattr(value, part)
        values.append(value.isoformat() if hasattr(value, "isoformat") else value)
    return signing.dumps([list(order), values], salt=_SALT, compress=False)


def _key_from_text(text: str, order: tuple[str, ...]) -> list[Any]:
    try:
        made_for, values = signing.loads(text, salt=_SALT)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidError("This page's URL is incomplete. Open the list again from its start.") from error
    if made_for != list(order):
        raise InvalidError(
            "This page belongs to a list in another order. Open the list again from its start."
        )
    return list(values)
