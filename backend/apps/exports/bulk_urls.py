"""The paths of bulk exports and schedules, below /api/v1/."""

from __future__ import annotations

from typing import Any

from django.urls import path

from backend.apps.exports.bulk_api import BulkExportViewSet
from backend.apps.exports.schedule_api import ExportScheduleViewSet

LISTED: dict[str, Any] = {"get": "list", "post": "create"}
BULK = "bulk-exports/<uuid:bulk_export_id>/"
SCHEDULE = "export-schedules/<uuid:schedule_id>/"

urlpatterns = [
    path("bulk-exports/", BulkExportViewSet.as_view(LISTED), name="bulk-exports"),
    path("bulk-exports/plan/", BulkExportViewSet.as_view({"post": "plan"}), name="bulk-export-plan"),
    path(BULK, BulkExportViewSet.as_view({"get": "retrieve"}), name="bulk-export"),
    path(f"{BULK}items/", BulkExportViewSet.as_view({"get": "items"}), name="bulk-export-items"),
    path(f"{BULK}report/", BulkExportViewSet.as_view({"get": "report"}), name="bulk-export-report"),
    *(
        path(f"{BULK}{verb}/", BulkExportViewSet.as_view({"post": verb}), name=f"bulk-export-{verb}")
        for verb in ("pause", "resume", "cancel", "retry")
    ),
    path("export-schedules/", ExportScheduleViewSet.as_view(LISTED), name="export-schedules"),
    path(
        SCHEDULE,
        ExportScheduleViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="export-schedule",
    ),
    *(
        path(f"{SCHEDULE}{verb}/", ExportScheduleViewSet.as_view({"post": verb}), name=f"export-schedule-{verb}")
        for verb in ("pause", "resume", "run")
    ),
]
