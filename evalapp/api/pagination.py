"""Lists in pages that begin after a key: ``{results, next}``."""

from collections.abc import Sequence
from typing import Any

from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from evalapp.core.errors import InvalidError
from evalapp.core.paging import LARGEST_PAGE, PAGE_SIZE, keyset_page


class KeysetPagination(BasePagination):
    """``next`` is the full URL of the next page, or null on the last page."""

    next_after = ""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Needs ``view.query`` (read already) and ``view.order``; a sequence needs
        ``view.key_of`` instead.
        """
        size = view.query["limit"]
        self.request = request
        if isinstance(queryset, Sequence):
            start = _start(view.place_of(queryset, view.query["after"])) if view.query["after"] else 0
            rows = list(queryset[start : start + size])
            self.next_after = view.key_of(rows[-1]) if start + size < len(queryset) else ""
            return rows
        page = keyset_page(queryset, request._request, order=view.order, size=size)
        self.next_after = page.next_after
        return page.rows

    def get_paginated_response(self, data: Any) -> Response:
        here = self.request.build_absolute_uri()
        following = replace_query_param(here, "after", self.next_after) if self.next_after else None
        return Response({"results": data, "next": following})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        following = {
            "type": "string",
            "format": "uri",
            "nullable": True,
            "description": "The URL of the next page, or null on the last page.",
        }
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {"results": schema, "next": following},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        after = {"type": "string", "maxLength": 2_000}
        limit = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE_SIZE}
        return [
            {
                "name": "after",
                "in": "query",
                "schema": after,
                "description": "Start of the page; follow `next` instead of choosing a value.",
            },
            {"name": "limit", "in": "query", "schema": limit, "description": "Number of rows per page."},
        ]


def _start(place: int | None) -> int:
    if place is not None:
        return place
    raise InvalidError("The page's first row is no longer in the list. Read the list again from its start.")
