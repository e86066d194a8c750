"""What is looked at for pages that listen: a value that changes when there is something new to show.

Each is a few small statements, whatever there is, and says nothing of what has changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Max, Q

from backend.apps.authentication.models import User
from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.bulk_selectors import visible_bulk_exports
from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun
from backend.apps.workflows.models import ExecutionEvent, TaskExecution

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ONE = re.compile(rf"/console/bulk-exports/({_UUID})/stream/")


@dataclass(frozen=True)
class Subject:
    """What a page listens to: all runs, all exports by the clock or in bulk, or one bulk export."""

    kind: str
    pk: UUID | None = None

    @property
    def slow(self) -> bool:
        """Whether it is looked at once a second only, since that costs more."""
        return self.kind != "runs"

    def sign(self) -> Hashable:
        """Return a value that is another one when there is something new."""
        return _SIGNS[self.kind](self.pk)

    def may_listen(self, user: User) -> bool:
        """Return whether the user sees it. That the installation is at work everybody may know."""
        if self.pk is None:
            return True
        return visible_bulk_exports(user=user).filter(pk=self.pk).exists()


def subject_of(path: str) -> Subject | None:
    """Return what the page listens to that asks for this address; None for another address."""
    if path == "/console/pulse/":
        return Subject("runs")
    if path == "/console/bulk-exports/stream/":
        return Subject("exports")
    found = _ONE.fullmatch(path)
    return Subject("bulk_export", UUID(found[1])) if found else None


def _of_runs(_: UUID | None) -> Hashable:
    return ExecutionEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0


def _of_exports(_: UUID | None) -> Hashable:
    """Change with every bulk export, schedule and run of one that begins, goes on, or ends."""
    still = BulkExport.objects.filter(status__in=["pending", "running"])
    items = BulkExportItem.objects.filter(bulk_export__in=still.values("pk")).order_by()
    runs = ScheduleRun.objects.filter(status__in=["queued", "running"]).order_by("pk")
    return (
        BulkExport.objects.aggregate(newest=Max("created_at"))["newest"],
        tuple(still.order_by("pk").values_list("pk", "status", "paused_at", "cancel_requested_at")),
        tuple(items.values_list("status").annotate(n=Count("pk")).order_by("status")),
        ScheduleRun.objects.aggregate(newest=Max("pk"))["newest"],
        tuple(runs.values_list("pk", "status")),
        tuple(
            ExportSchedule.objects.aggregate(
                all=Count("pk"), on=Count("pk", filter=Q(enabled=True)), due=Max("next_due_at"), at=Max("updated_at")
            ).values()
        ),
    )


def _of_bulk_export(pk: UUID | None) -> Hashable:
    """Change with its standing, with every item that stands elsewhere, and with what its tasks wait for."""
    items = BulkExportItem.objects.filter(bulk_export=pk).order_by()
    flying = TaskExecution.objects.filter(pk__in=items.filter(status="in_flight").values("task")).order_by()
    standing = BulkExport.objects.filter(pk=pk) if pk else BulkExport.objects.none()
    return (
        tuple(standing.values_list("status", "paused_at", "cancel_requested_at", "started_at")),
        tuple(items.values_list("status").annotate(n=Count("pk")).order_by("status")),
        tuple(flying.values_list("status").annotate(n=Count("pk"), at=Max("not_before")).order_by("status")),
    )


_SIGNS: dict[str, Callable[[UUID | None], Hashable]] = {
    "runs": _of_runs,
    "exports": _of_exports,
    "bulk_export": _of_bulk_export,
}
