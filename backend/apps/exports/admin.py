"""Bulk exports and schedules in Django's admin: shown and not changed, since the services own them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.bulk_selectors import progress_of, standing_word
from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun
from backend.apps.exports.schedule_selectors import rhythm_words


class Shown(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that services write: they can be looked at."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  (Django's signature)
        """Nobody adds one by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401, ARG002
        """Nobody changes one by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401, ARG002
        """Nobody deletes one by hand."""
        return False


@admin.register(BulkExport)
class BulkExportAdmin(Shown):
    """Bulk exports, and how far each is."""

    list_display = ("__str__", "export_type", "standing", "percent", "total", "created_by", "created_at")
    list_filter = ("status", "export_type")
    search_fields = ("name", "id")
    list_select_related = ("created_by",)
    list_per_page = 25

    @admin.display(description="standing")
    def standing(self, row: BulkExport) -> str:
        """Where it stands, in one word."""
        return standing_word(row)

    @admin.display(description="done")
    def percent(self, row: BulkExport) -> str:
        """How far it is."""
        return f"{progress_of(row, now=timezone.now()).percent} %"


@admin.register(BulkExportItem)
class BulkExportItemAdmin(Shown):
    """Items of bulk exports."""

    list_display = ("project_slug", "bulk_export", "status", "reason", "completed_at")
    list_filter = ("status", "reason")
    search_fields = ("project_slug",)
    list_select_related = ("bulk_export",)
    show_full_result_count = False


@admin.register(ExportSchedule)
class ExportScheduleAdmin(Shown):
    """Schedules, and when each is due next."""

    list_display = ("name", "work", "rhythm", "enabled", "next_due_at", "owner")
    list_filter = ("enabled", "work")
    search_fields = ("name",)

    @admin.display(description="when")
    def rhythm(self, row: ExportSchedule) -> str:
        """When it is due."""
        return rhythm_words(row)


@admin.register(ScheduleRun)
class ScheduleRunAdmin(Shown):
    """Each time that a schedule was due."""

    list_display = ("schedule", "due_at", "status", "by_hand", "reason", "completed_at")
    list_filter = ("status", "schedule")
    list_select_related = ("schedule",)
