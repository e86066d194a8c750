"""What is read of schedules: who may see which, and how one stands. It changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from backend.apps.authentication.models import User
from backend.apps.exports.due_times import next_times
from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun
from backend.apps.exports.services.schedules import rhythm_of
from backend.errors import NotFound


def visible_schedules(*, user: User) -> QuerySet[ExportSchedule]:
    """Return the user's own schedules; all of them, the product's too, for a superuser."""
    if not user.is_active or (user.grant is not None and user.grant.project_id is not None):
        # A schedule is of many projects: a token for one of them is not for it.
        return ExportSchedule.objects.none()
    rows = ExportSchedule.objects.select_related("owner")
    return rows if user.is_superuser else rows.filter(owner=user)


def find_schedule(*, user: User, reference: UUID | str) -> ExportSchedule:
    """Return the schedule of that name or id. Raises NotFound."""
    rows = visible_schedules(user=user)
    found = rows.filter(name=str(reference)).first() if "\0" not in str(reference) else None
    if found is None:
        try:
            found = rows.filter(pk=UUID(str(reference))).first()
        except ValueError:
            found = None
    if found is None:
        raise NotFound(f"There is no schedule {str(reference)[:100]!r}.", hint="See: repomill schedules list")
    return found


def last_runs(schedules: Sequence[ExportSchedule]) -> dict[UUID, ScheduleRun]:
    """Return the newest run of each that was not skipped, in one query."""
    return _newest_of(ScheduleRun.objects.exclude(status=ScheduleRun.Status.SKIPPED), schedules)


def newest_runs(schedules: Sequence[ExportSchedule]) -> dict[UUID, ScheduleRun]:
    """Return the newest run of each, whatever came of it, in one query."""
    return _newest_of(ScheduleRun.objects.all(), schedules)


def _newest_of(runs: QuerySet[ScheduleRun], schedules: Sequence[ExportSchedule]) -> dict[UUID, ScheduleRun]:
    newest = runs.filter(schedule=OuterRef("pk")).order_by("-due_at", "-pk").values("pk")[:1]
    rows = ExportSchedule.objects.filter(pk__in=[schedule.pk for schedule in schedules]).order_by()
    found = ScheduleRun.objects.filter(pk__in=rows.annotate(newest=Subquery(newest)).values("newest"))
    return {run.schedule_id: run for run in found}


def schedules_json(schedules: Sequence[ExportSchedule], *, now: datetime) -> list[dict[str, Any]]:
    """Return schedules as JSON, each with its next five times and its newest run, by one query for all of them."""
    newest = newest_runs(schedules)
    return [schedule_json(row, now=now, runs=[newest[row.pk]] if row.pk in newest else []) for row in schedules]


def runs_of(schedule: ExportSchedule, *, status: str = "") -> QuerySet[ScheduleRun]:
    """Return a schedule's runs with what they started, newest first; those of a status where one is given."""
    rows = schedule.runs.select_related("bulk_export").order_by("-due_at", "-pk")
    return rows.filter(status=status) if status else rows


def rhythm_words(schedule: ExportSchedule) -> str:
    """Return when it is due as people write it."""
    when = schedule.cron or f"every {schedule.interval_seconds} s"
    return f"{when} ({schedule.time_zone})"


def schedule_json(
    schedule: ExportSchedule, *, now: datetime, runs: Sequence[ScheduleRun] | None = None
) -> dict[str, Any]:
    """Return a schedule as JSON, with its next five times and its newest runs. runs: where they are known already."""
    shown = list(schedule.runs.all()[:10]) if runs is None else runs
    upcoming = next_times(rhythm_of(schedule), after=now) if schedule.enabled else []
    return {
        "id": str(schedule.pk),
        "name": schedule.name,
        "work": schedule.work,
        "cron": schedule.cron or None,
        "interval_seconds": schedule.interval_seconds,
        "time_zone": schedule.time_zone,
        "enabled": schedule.enabled,
        "export": schedule.export or None,
        "overlap": schedule.overlap,
        "catch_up": schedule.catch_up,
        "catch_up_seconds": schedule.catch_up_seconds,
        "keep_last": schedule.keep_last,
        "keep_days": schedule.keep_days,
        "notify_url": schedule.notify_url or None,
        "notify_email": schedule.notify_email,
        "owner": schedule.owner.get_username() if schedule.owner else None,
        "next_times": [time.isoformat() for time in upcoming],
        "runs": [run_json(run) for run in shown],
    }


def run_json(run: ScheduleRun) -> dict[str, Any]:
    """Return one run as JSON."""
    return {
        "due_at": run.due_at.isoformat(),
        "status": run.status,
        "by_hand": run.by_hand,
        "reason": run.reason or None,
        "bulk_export": str(run.bulk_export_id) if run.bulk_export_id else None,
        "result": run.result,
        "error": run.error,
        "notified_at": run.notified_at.isoformat() if run.notified_at else None,
        "completed_at": run.completed_at.isoformat() if run.completed_at else None,
    }
