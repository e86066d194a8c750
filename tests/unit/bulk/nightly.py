"""What the tests of schedules share: one that is due every night, and what has become of its runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from backend.apps.exports.models import ExportSchedule, ScheduleRun
from backend.apps.exports.services.schedules import create_schedule

ZIP = {"selection": {"kind": "all"}, "export_type": "zip", "skip_unchanged": False}
Nightly = Callable[..., ExportSchedule]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def nightly_of(owner: Any) -> Nightly:
    """Return what makes a schedule that is due every night at two, first on 2 January 2026."""
    # The product's own would be due with it.
    ExportSchedule.objects.all().delete()

    def make(**wanted: Any) -> ExportSchedule:
        schedule = create_schedule(owner=owner, name="nightly", **{"export": ZIP, "cron": "0 2 * * *"} | wanted)
        ExportSchedule.objects.update(next_due_at=moment("2026-01-02T02:00"))
        return ExportSchedule.objects.get(pk=schedule.pk)

    return make


def runs() -> list[tuple[str, str]]:
    rows = ScheduleRun.objects.order_by("due_at")
    return [(run.due_at.strftime("%m-%dT%H:%M"), run.status) for run in rows]
