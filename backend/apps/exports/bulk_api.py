"""Bulk exports over REST. Views translate; the services change, the selectors read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django.http import StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Scope
from backend.apps.exports.bulk_items import item_standing, items_of, with_tasks
from backend.apps.exports.bulk_models import BulkExport
from backend.apps.exports.bulk_selectors import find_bulk_export, progress_of_each, visible_bulk_exports
from backend.apps.exports.bulk_serializers import (
    BulkExportSerializer,
    BulkItemSerializer,
    BulkReportSerializer,
    BulkStart,
    BulkWish,
    ItemFilters,
    OutlookSerializer,
    ReportFilters,
)
from backend.apps.exports.services import bulk_exports
from backend.apps.exports.services.bulk_forecast import outlook, outlook_json
from backend.apps.exports.services.bulk_reports import item_row, report, summary

_TYPES = {"json": "application/json", "csv": "text/csv", "manifest": "text/plain"}


class BulkExportViewSet(ApiViewSet):
    """Bulk exports that the user started; all of them for operators."""

    serializer_class = BulkExportSerializer
    lookup_url_kwarg = "bulk_export_id"
    scopes: ClassVar = {
        "plan": Scope.READ,
        **dict.fromkeys(("create", "pause", "resume", "cancel", "retry"), Scope.RUN),
    }

    @extend_schema(summary="List your bulk exports")
    def list(self, request: Request) -> Response:
        """List bulk exports, newest first, with how far each is."""
        found = self.paginate_queryset(visible_bulk_exports(user=user_of(request))) or []
        now = timezone.now()
        progress = progress_of_each(found, now=now)
        return self.get_paginated_response([summary(row, now=now, progress=progress[row.pk]) for row in found])

    @extend_schema(summary="Start a bulk export", request=BulkStart, responses={201: BulkExportSerializer})
    def create(self, request: Request) -> Response:
        """Start a bulk export of projects that the user may change. What the destination has already is skipped."""
        started = bulk_exports.start_bulk_export(user=user_of(request), **self.validated(request, BulkStart))
        headers = {"Location": reverse("bulk-export", args=[started.pk])}
        return Response(_shown(started), status=status.HTTP_201_CREATED, headers=headers)

    @extend_schema(summary="Say what a bulk export would do", request=BulkWish, responses={200: OutlookSerializer})
    def plan(self, request: Request) -> Response:
        """Say how much a bulk export would deliver, and when it would end. Nothing is started."""
        return Response(
            outlook_json(outlook(user=user_of(request), now=timezone.now(), **self.validated(request, BulkWish)))
        )

    @extend_schema(summary="Get a bulk export")
    def retrieve(self, request: Request, bulk_export_id: UUID) -> Response:
        """Get a bulk export and how far it is."""
        return Response(_shown(self._found(request, bulk_export_id)))

    @extend_schema(
        summary="List a bulk export's items", parameters=[ItemFilters], responses={200: BulkItemSerializer(many=True)}
    )
    def items(self, request: Request, bulk_export_id: UUID) -> Response:
        """List what became of each project, in order."""
        wanted = self.filters(request, ItemFilters)
        found = self.paginate_queryset(with_tasks(items_of(self._found(request, bulk_export_id), **wanted)))
        # Between two rounds an item does not say yet how its task has ended.
        return self.get_paginated_response([item_row(item) | {"status": item_standing(item)} for item in found or []])

    @extend_schema(
        summary="Download a bulk export's report",
        parameters=[ReportFilters],
        responses={
            (200, media): BulkReportSerializer if form == "json" else OpenApiTypes.STR for form, media in _TYPES.items()
        },
    )
    def report(self, request: Request, bulk_export_id: UUID) -> StreamingHttpResponse:
        """Download what became of every item as JSON or CSV, or every archive's digest as a manifest."""
        form = self.filters(request, ReportFilters)["report"]
        parts = report(self._found(request, bulk_export_id), format=form, now=timezone.now())
        return StreamingHttpResponse(parts, content_type=_TYPES[form])

    @extend_schema(summary="Pause a bulk export", request=None)
    def pause(self, request: Request, bulk_export_id: UUID) -> Response:
        """Let nothing more of it begin; what runs is let finish."""
        return self._changed(request, bulk_export_id, bulk_exports.pause_bulk_export)

    @extend_schema(summary="Resume a bulk export", request=None)
    def resume(self, request: Request, bulk_export_id: UUID) -> Response:
        """Let a paused one go on."""
        return self._changed(request, bulk_export_id, bulk_exports.resume_bulk_export)

    @extend_schema(summary="Cancel a bulk export", request=None)
    def cancel(self, request: Request, bulk_export_id: UUID) -> Response:
        """Cancel it: what waits ends at once, what runs within seconds. What was delivered stays."""
        return self._changed(request, bulk_export_id, bulk_exports.cancel_bulk_export)

    @extend_schema(summary="Try failed items again", request=None)
    def retry(self, request: Request, bulk_export_id: UUID) -> Response:
        """Try again what has failed; nothing that was delivered is delivered twice."""
        return self._changed(request, bulk_export_id, bulk_exports.retry_bulk_export)

    def _changed(self, request: Request, bulk_export_id: UUID, change: Callable[[BulkExport], BulkExport]) -> Response:
        return Response(_shown(change(self._found(request, bulk_export_id))))

    def _found(self, request: Request, bulk_export_id: UUID) -> BulkExport:
        return find_bulk_export(user=user_of(request), reference=bulk_export_id)


def _shown(row: BulkExport) -> dict[str, Any]:
    return summary(row, now=timezone.now())
