"""What agents did, in Django's admin: to be looked at, and nothing else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from backend.apps.agents.models import AgentAction


@admin.register(AgentAction)
class AgentActionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The audit trail. Nobody adds, changes or removes a row of it by hand."""

    list_display = ("created_at", "user", "via", "action", "project_name", "status", "error_code")
    list_filter = ("status", "via", "action")
    search_fields = ("user__username", "project_name")
    list_select_related = ("user",)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  (Django's signature)
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401, ARG002
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401, ARG002
        """Return False."""
        return False
