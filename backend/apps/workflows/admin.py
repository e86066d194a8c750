"""Executions and their tasks in Django's admin: what an operator looks at, with the way to Flower and back.

Nothing can be changed here: a status changes by the services alone. Neither inputs, arguments, state nor results are
shown; they are the user's, and an operator mends by status, error and history.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution


class ReadOnly:
    """What is shown and not changed."""

    def has_add_permission(self, *_: Any) -> bool:  # noqa: ANN401  (Django's signature)
        """Nobody adds one by hand."""
        return False

    def has_change_permission(self, *_: Any) -> bool:  # noqa: ANN401
        """Nobody changes one by hand."""
        return False

    def has_delete_permission(self, *_: Any) -> bool:  # noqa: ANN401
        """Nobody deletes one by hand."""
        return False


class StepInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    """The steps of an execution, on its page."""

    model = StepExecution
    fields = readonly_fields = ("step_id", "step_type", "status", "started_at", "completed_at", "error")
    extra = 0


class TaskInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    """The tasks of an execution, on its page."""

    model = TaskExecution
    fields = readonly_fields = ("description", "status", "attempt", "not_before", "worker", "error", "flower")
    show_change_link = True
    extra = 0
    ordering = ("step__position", "item", "position")

    @admin.display(description="Flower")
    def flower(self, task: TaskExecution) -> str:
        """Return the link to the task in Flower."""
        return flower_link(task)


class EventInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    """The history of an execution, on its page."""

    model = ExecutionEvent
    fields = readonly_fields = ("sequence", "created_at", "kind", "step_id", "data")
    extra = 0


@admin.register(WorkflowExecution)
class ExecutionAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Executions."""

    list_display = ("id", "workflow", "project_name", "status", "current_step", "user", "created_at", "completed_at")
    list_filter = ("status", "workflow")
    list_select_related = ("workflow", "user")
    search_fields = ("=id", "project_name")
    show_full_result_count = False
    fields = (
        *("workflow", "project_name", "user", "status", "error", "current_step", "retry_count"),
        *("paused_at", "cancel_requested_at", "created_at", "started_at", "completed_at"),
    )
    inlines = (StepInline, TaskInline, EventInline)


@admin.register(TaskExecution)
class TaskAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Tasks: what Flower's link leads to."""

    list_display = ("description", "status", "attempt", "worker", "not_before", "created_at", "flower")
    list_filter = ("status", "method")
    search_fields = ("=id", "=key", "description")
    show_full_result_count = False
    fields = (
        *("run", "flower", "description", "method", "status", "error", "attempt", "retries", "max_retries"),
        *("ready", "not_before", "next_publish_at", "publish_count", "lease_expires_at", "worker", "losses"),
        *("cancel_requested_at", "created_at", "started_at", "completed_at", "key"),
    )
    readonly_fields = ("run", "flower")

    @admin.display(description="Run")
    def run(self, task: TaskExecution) -> str:
        """Return the link to the task's execution."""
        if task.execution_id is None:
            return "none: it was called on its own"
        address = reverse("admin:workflows_workflowexecution_change", args=[task.execution_id])
        return format_html('<a href="{}">{}</a>', address, task.execution_id)

    @admin.display(description="Flower")
    def flower(self, task: TaskExecution) -> str:
        """Return the link to the task in Flower."""
        return flower_link(task)


def flower_link(task: TaskExecution) -> SafeString | str:
    """Return a link to the task in Flower, which knows it by the row's id; a dash where no address is set."""
    address: str = settings.ENVIRONMENT.flower_url
    if not address or task.pk is None:
        return "none"
    return format_html('<a href="{}/task/{}">in Flower</a>', address.rstrip("/"), task.pk)
