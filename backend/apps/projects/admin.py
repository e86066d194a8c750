"""Projects and their parts in Django's admin. What generation made is shown and not changed: the services own it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from backend.apps.projects.models import (
    Archive,
    GeneratedProject,
    Project,
    ProjectFile,
    ProjectMembership,
    Sprint,
    Story,
)


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    """The members of a project, on the project's page."""

    model = ProjectMembership
    autocomplete_fields = ("user",)
    extra = 0


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Projects."""

    list_display = ("slug", "name", "owner", "created_at")
    search_fields = ("slug", "name")
    autocomplete_fields = ("owner",)
    inlines = (MembershipInline,)


@admin.register(Story)
class StoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Stories."""

    list_display = ("title", "project", "status", "sprint", "created_at")
    list_filter = ("status",)
    search_fields = ("title", "project__slug")
    autocomplete_fields = ("project", "sprint", "created_by")


@admin.register(Sprint)
class SprintAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Sprints."""

    list_display = ("name", "project", "status", "start_date", "end_date")
    list_filter = ("status",)
    search_fields = ("name", "project__slug")
    autocomplete_fields = ("project", "created_by")


class Shown(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that services write: they can be looked at."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  (Django's signature)
        """Nobody adds one by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401, ARG002
        """Nobody changes one by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401, ARG002
        """Nobody deletes one by hand: its files would stay."""
        return False


@admin.register(GeneratedProject)
class GeneratedProjectAdmin(Shown):
    """Generations."""

    list_display = ("id", "project", "status", "total_files", "total_size", "created_at")
    list_filter = ("status",)
    search_fields = ("project__slug",)


@admin.register(ProjectFile)
class ProjectFileAdmin(Shown):
    """Files of generations."""

    list_display = ("file_path", "file_type", "file_size", "generated_project")
    search_fields = ("file_path",)
    show_full_result_count = False


@admin.register(Archive)
class ArchiveAdmin(Shown):
    """Archives."""

    list_display = ("id", "generated_project", "format", "size", "created_at")
    list_filter = ("format",)
