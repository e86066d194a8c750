"""How lists are cut into pages: by number where a person leafs through them, by cursor what grows without bound.

A cursor says where the page before ended, in the words of the list's own order; so a page costs the same wherever it
is, as long as an index has that order, and what is inserted meanwhile shifts nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Model, Q
from rest_framework.pagination import BasePagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from backend.errors import InvalidInput

PAGE_SIZE = 25
LARGEST_PAGE = 100
LONGEST_CURSOR = 300


class NumberedPages(PageNumberPagination):
    """Pages by number: 25 items, or `page_size` up to 100. A page beyond the last is a 404."""

    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = LARGEST_PAGE


class CursorPages(BasePagination):
    """Pages by cursor: 25 items, or `page_size` up to 100, with the addresses of the pages before and after.

    The view's `ordering` says by which fields: `created_at` and `id`, or their reverse. The last one is unique.
    """

    ordering: Sequence[str] = ("-created_at", "-id")

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:  # noqa: ANN401
        """Return the page that the request asks for. Raises InvalidInput for a cursor that is none of ours."""
        self.ordering = getattr(view, "ordering", None) or self.ordering
        self._address = request.build_absolute_uri()
        size = page_size(request)
        at, backwards = _read(request.query_params.get("cursor"), self.ordering)
        order = _reversed(self.ordering) if backwards else self.ordering
        rows = queryset if at is None else queryset.filter(_beyond(order, at))
        found = list(rows.order_by(*order)[: size + 1])
        more, page = len(found) > size, found[:size]
        if backwards:
            page.reverse()
        earlier = more if backwards else at is not None
        later = True if backwards else more
        self._before = page[0] if page and earlier else None
        self._after = page[-1] if page and later else None
        return page

    def get_paginated_response(self, data: Any) -> Response:  # noqa: ANN401  (as in BasePagination)
        """Answer with the page and the addresses of its neighbours; null where there is none."""
        after = self._link(self._after, backwards=False)
        before = self._link(self._before, backwards=True)
        return Response({"next": after, "previous": before, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the answer."""
        address = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": address, "previous": address, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:  # noqa: ARG002
        """Describe the parameters."""
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Where the page begins; taken from `next` or `previous`.",
                "schema": {"type": "string"},
            },
            {
                "name": "page_size",
                "in": "query",
                "required": False,
                "description": f"Items on a page: {PAGE_SIZE} unless said, at most {LARGEST_PAGE}.",
                "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
            },
        ]

    def _link(self, row: Model | None, *, backwards: bool) -> str | None:
        if row is None:
            return None
        values = [_as_text(getattr(row, name.lstrip("-"))) for name in self.ordering]
        return replace_query_param(remove_query_param(self._address, "cursor"), "cursor", _written(values, backwards))


def page_size(request: Request, *, usual: int = PAGE_SIZE, largest: int = LARGEST_PAGE) -> int:
    """Return how many items a page is to have. Raises InvalidInput for what is no number from 1 on.

    More than the largest is the largest, as with numbered pages.
    """
    text = request.query_params.get("page_size")
    if text is None:
        return usual
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise InvalidInput("The page's size is no number.", field="page_size", expected=f"1 to {largest}")
    return min(int(text), largest)


def _reversed(ordering: Sequence[str]) -> tuple[str, ...]:
    return tuple(name[1:] if name.startswith("-") else f"-{name}" for name in ordering)


def _beyond(ordering: Sequence[str], at: Sequence[Any]) -> Q:
    """Return the condition of what comes after a place in an order of two fields, as an index can serve it."""
    (first, first_op), (second, second_op) = ((n.lstrip("-"), "lt" if n.startswith("-") else "gt") for n in ordering)
    # The outer bound is what the index is searched by; the rest only settles who shares the first value.
    outer = Q(**{f"{first}__{first_op}e": at[0]})
    return outer & (Q(**{f"{first}__{first_op}": at[0]}) | Q(**{f"{second}__{second_op}": at[1]}))


def _as_text(value: Any) -> str:  # noqa: ANN401  (a field's value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _written(values: list[str], backwards: bool) -> str:
    said = json.dumps([*values, int(backwards)], separators=(",", ":"))
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _read(cursor: str | None, ordering: Sequence[str]) -> tuple[list[Any] | None, bool]:
    """Return the place that a cursor names, and whether the page lies before it."""
    if cursor is None:
        return None, False
    try:
        if len(cursor) > LONGEST_CURSOR or not cursor.isascii():
            raise ValueError
        said = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        moment, identifier, backwards = said
        at = datetime.fromisoformat(moment)
        # As the database asks for it: what lies beyond the calendar's ends there is no moment of ours.
        place = [at.astimezone(UTC), UUID(identifier)]
        if at.tzinfo is None or backwards not in (0, 1) or len(ordering) != len(place):
            raise ValueError
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise InvalidInput(
            "The cursor is not valid.", field="cursor", hint="Begin without one, then follow `next` and `previous`."
        ) from error
    return place, bool(backwards)
