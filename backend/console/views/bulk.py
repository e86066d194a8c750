"""Bulk exports: the list of them, how far one is and what it waits for, what became of each item, and its reports."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.text import slugify

from backend.apps.exports.bulk_items import item_standing, items_of, waits_of, with_tasks
from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.bulk_selectors import (
    find_bulk_export,
    progress_of,
    progress_of_each,
    standing_word,
    visible_bulk_exports,
)
from backend.apps.exports.bulk_serializers import ItemFilters
from backend.apps.exports.services.bulk_reports import FORMATS, report
from backend.console.lists import cut, narrowed, numbered
from backend.console.pages import attachment, is_partial, page, user_of
from backend.console.shown import bulk as shown
from backend.errors import InvalidInput

TYPES = {"json": ("application/json", "json"), "csv": ("text/csv", "csv"), "manifest": ("text/plain", "sha256")}
ITEMS = 50
"""Items on a page."""


@page
def bulk_exports(request: HttpRequest) -> HttpResponseBase:
    """List bulk exports, newest first, with how far each is."""
    part = cut(request, visible_bulk_exports(user=user_of(request)))
    now = timezone.now()
    progress = progress_of_each(part.rows, now=now)
    rows = [shown.Row(bulk, standing_word(bulk), progress[bulk.pk]) for bulk in part.rows]
    context = {"part": part, "rows": rows, "first_page": "cursor" not in request.GET}
    return render(request, f"console/bulk/{'list' if is_partial(request) else 'bulk_exports'}.html", context)


@page
def bulk_export(request: HttpRequest, bulk_export_id: UUID) -> HttpResponseBase:
    """Show a bulk export; to htmx the part of it that changes."""
    bulk = find_bulk_export(user=user_of(request), reference=bulk_export_id)
    context = {"bulk": bulk, **_board(bulk)}
    if is_partial(request):
        return render(request, "console/bulk/board.html", context)
    return render(request, "console/bulk/bulk_export.html", context | _items(request, bulk))


@page
def bulk_items(request: HttpRequest, bulk_export_id: UUID) -> HttpResponseBase:
    """Show the items that the address asks for, on their own."""
    bulk = find_bulk_export(user=user_of(request), reference=bulk_export_id)
    context = {"bulk": bulk, "standing": standing_word(bulk), **_items(request, bulk)}
    return render(request, f"console/bulk/{'items' if is_partial(request) else 'items_page'}.html", context)


@attachment
def bulk_report(request: HttpRequest, bulk_export_id: UUID, form: str) -> HttpResponseBase:
    """Send a report, or the manifest."""
    bulk = find_bulk_export(user=user_of(request), reference=bulk_export_id)
    if form not in FORMATS:
        raise InvalidInput("There is no such report.", field="report", expected=list(FORMATS))
    media, ending = TYPES[form]
    name = f"{slugify(bulk.name)[:60] or 'bulk-export'}-{str(bulk.pk)[:8]}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(
        report(bulk, format=form, now=timezone.now()), content_type=f"{media}; charset=utf-8", headers=headers
    )


def _board(bulk: BulkExport) -> dict[str, Any]:
    now = timezone.now()
    standing = standing_word(bulk)
    progress = progress_of(bulk, now=now)
    began = bulk.started_at or bulk.created_at
    return {
        "standing": standing,
        "progress": progress,
        "bar": shown.bar(progress),
        "tiles": shown.tiles(progress),
        "rate": shown.rate_words(progress.rate),
        "waits": [shown.wait_words(wait) for wait in waits_of(bulk, now=now)] if bulk.completed_at is None else [],
        "controls": shown.controls(bulk, standing),
        "took": ((bulk.completed_at or now) - began).total_seconds(),
        "facts": shown.facts(bulk),
    }


def _items(request: HttpRequest, bulk: BulkExport) -> dict[str, Any]:
    filters, wrong = narrowed(request, ItemFilters)
    part = numbered(request, with_tasks(items_of(bulk, **filters)), size=ITEMS)
    return {
        "part": part,
        "items": [shown.ItemRow.of(item, item_standing(item)) for item in part.rows],
        "wrong": wrong,
        "statuses": BulkExportItem.Status.values,
        "status": filters.get("status", ""),
        "search": filters.get("search", ""),
        "narrowed": bool(filters),
    }
