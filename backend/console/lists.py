"""Lists in pages: cut by the API's cursors and narrowed by its filters, so that an address means the same in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from backend.api.pagination import PAGE_SIZE, CursorPages


@dataclass(frozen=True)
class Part:
    """One page of a list, and the addresses of its neighbours; None where there is none."""

    rows: list[Any]
    before: str | None
    after: str | None


def cut(request: HttpRequest, rows: Any) -> Part:  # noqa: ANN401  (a queryset)
    """Return the page of a list, the newest first, that the request's `cursor` asks for.

    Raises InvalidInput for a cursor that is none of ours.
    """
    pages = CursorPages()
    asked = Request(request)
    found = pages.paginate_queryset(rows.order_by("-created_at", "-id"), asked)
    links: Any = pages.get_paginated_response(None).data
    return Part(found, before=_below(links["previous"]), after=_below(links["next"]))


def numbered(request: HttpRequest, rows: Any, *, size: int = PAGE_SIZE) -> Part:  # noqa: ANN401
    """Return the page of an ordered list that the request's `page` asks for: for lists whose order no cursor knows."""
    found = Paginator(rows, size).get_page(request.GET.get("page"))
    query = request.GET.copy()

    def at(number: int) -> str:
        query["page"] = str(number)
        return f"?{query.urlencode()}"

    return Part(
        list(found.object_list),
        before=at(found.previous_page_number()) if found.has_previous() else None,
        after=at(found.next_page_number()) if found.has_next() else None,
    )


def narrowed(request: HttpRequest, kind: type[BaseSerializer[Any]]) -> tuple[dict[str, Any], list[str]]:
    """Return what the query asks for, and what of it makes no sense, as sentences; that is left out then.

    An empty field of a form asks for nothing.
    """
    known = kind().fields  # type: ignore[attr-defined]
    given = {name: value for name, value in request.GET.items() if value and name in known}
    serializer = kind(data=given)
    if serializer.is_valid():
        return dict(serializer.validated_data), []
    wrong = {str(name): str(said[0]) for name, said in dict(serializer.errors).items()}
    rest = kind(data={name: value for name, value in given.items() if name not in wrong})
    rest.is_valid(raise_exception=True)
    return dict(rest.validated_data), [f"{name}: {said}" for name, said in wrong.items()]


def _below(address: str | None) -> str | None:
    """Return an address of ours without its origin, which a proxy may have changed."""
    return None if address is None else "?" + address.partition("?")[2]
