"""Bulk exports and schedules in Django's admin: shown and not changed, since the services own them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.bulk_selectors import progress_of, progress_of_each, progress_words, standing_word
from backend.apps.exports.due_times import next_times
from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun
from backend.apps.exports.schedule_selectors import last_runs, rhythm_words
from backend.apps.exports.services.schedules import rhythm_of


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
    fields = (
        *("name", "standing", "percent", "counted", "error", "created_by", "schedule", "selection", "export_type"),
        *("destination", "skip_unchanged", "window", "created_at", "started_at", "completed_at", "key"),
    )
    list_filter = ("status", "export_type")
    search_fields = ("name", "id")
    list_select_related = ("created_by",)
    list_per_page = 25

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Count for all rows of the page at once."""
        page = super().get_changelist_instance(request)
        progress = progress_of_each(page.result_list, now=timezone.now())
        for row in page.result_list:
            row.progress = progress[row.pk]
        return page

    @admin.display(description="standing")
    def standing(self, row: BulkExport) -> str:
        """Where it stands, in one word."""
        return standing_word(row)

    @admin.display(description="done")
    def percent(self, row: BulkExport) -> str:
        """How far it is, as a bar."""
        percent = (getattr(row, "progress", None) or progress_of(row, now=timezone.now())).percent
        return format_html('<progress max="100" value="{0}"></progress> {0} %', percent)

    @admin.display(description="items")
    def counted(self, row: BulkExport) -> str:
        """How many items stand where, how fast it goes and when it will end."""
        return progress_words(progress_of(row, now=timezone.now()))


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

    list_display = ("name", "work", "rhythm", "enabled", "next_due_at", "last", "owner")
    list_select_related = ("owner",)
    fields = (
        *("name", "work", "rhythm", "enabled", "upcoming", "last", "owner", "export", "overlap", "catch_up"),
        *("catch_up_seconds", "keep_last", "keep_days", "notify_url", "notify_email", "created_at", "updated_at"),
    )
    list_filter = ("enabled", "work")
    search_fields = ("name",)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Look for the last run of all rows of the page at once."""
        page = super().get_changelist_instance(request)
        runs = last_runs(page.result_list)
        for row in page.result_list:
            row.last_run = runs.get(row.pk)
        return page

    @admin.display(description="when")
    def rhythm(self, row: ExportSchedule) -> str:
        """When it is due."""
        return rhythm_words(row)

    @admin.display(description="next times")
    def upcoming(self, row: ExportSchedule) -> str:
        """The next five times that it is due, by its own clock."""
        if not row.enabled:
            return "paused"
        times = next_times(rhythm_of(row), after=timezone.now())
        return format_html_join(format_html("<br>"), "{}", ((f"{time:%a %Y-%m-%d %H:%M %Z}",) for time in times))

    @admin.display(description="last run")
    def last(self, row: ExportSchedule) -> str:
        """How the last run ended."""
        run = row.last_run if hasattr(row, "last_run") else last_runs([row]).get(row.pk)
        return f"{run.status}, {timezone.localtime(run.due_at):%Y-%m-%d %H:%M}" if run else "-"


@admin.register(ScheduleRun)
class ScheduleRunAdmin(Shown):
    """Each time that a schedule was due."""

    list_display = ("schedule", "due_at", "status", "by_hand", "reason", "completed_at")
    list_filter = ("status", "schedule")
    list_select_related = ("schedule",)
