"""What the clock does with schedules: notes what is due, starts it, and takes over how it has ended.

One round runs every few seconds, in as many places as there are. A due time is noted by whoever moves the schedule's
`next_due_at` on with a conditional UPDATE, in the transaction that also makes the run, of which there is one per due
time; what a run starts has a key made of that time. So two beats, or two workers with the same round, start nothing
twice, and a worker that is lost between two of these steps leaves the rest to the next round.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, transaction

from backend.apps.exports.bulk_models import BulkExport
from backend.apps.exports.due_times import decide_due, due_after
from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun
from backend.apps.exports.selection import without_gone
from backend.apps.exports.services.bulk_exports import cancel_bulk_export, start_bulk_export
from backend.apps.exports.services.notifying import notify_about
from backend.apps.exports.services.retention import Removed, archive_generations, prune_archives
from backend.apps.exports.services.schedules import rhythm_of
from backend.errors import Conflict, PermissionRefused, RepomillError

LATE = timedelta(minutes=5)
"""A start that is no later than this is on time: a restart is no downtime."""
CLOCKS_DIFFER = timedelta(hours=1)
"""By so much at most. What is due after later than that was worked out by a clock that went wrong."""
PATIENCE = timedelta(hours=1)
"""For so long it is tried to remove what is not kept any more; then the run ends, and the next one tries again."""
NOT_REMOVED = {
    "code": "archives_not_removed",
    "message": "What is not kept any more could not be removed; the worker's log says why.",
    "retryable": True,
}
Status = ScheduleRun.Status
BULK = BulkExport.Status
_ENDS = {BULK.COMPLETED: Status.COMPLETED, BULK.FAILED: Status.FAILED, BULK.CANCELLED: Status.CANCELLED}
Row = TypeVar("Row", ExportSchedule, ScheduleRun)
logger = logging.getLogger(__name__)


def do_round(*, now: datetime) -> None:
    """Do one round. Safe to run at the same time in many places.

    What goes wrong with one schedule holds up no other: the round goes on, and raises the first of it at its end.
    """
    faults: list[Exception] = []
    schedules = ExportSchedule.objects.filter(enabled=True)
    _each(schedules.filter(next_due_at=None), _first_time, now=now, faults=faults)
    _each(schedules.filter(next_due_at__gt=now + CLOCKS_DIFFER), _set_right, now=now, faults=faults)
    _each(schedules.filter(next_due_at__lte=now), note_due, now=now, faults=faults)
    running = ScheduleRun.objects.filter(status=Status.RUNNING).select_related("schedule", "bulk_export")
    _each(running, _settle, now=now, faults=faults)
    queued = ScheduleRun.objects.filter(status=Status.QUEUED).select_related("schedule", "schedule__owner")
    _each(queued.order_by("due_at", "pk"), _begin, now=now, faults=faults)
    notify_about(now=now)
    if faults:
        raise faults[0]


def _each(rows: Iterable[Row], work: Callable[..., object], *, now: datetime, faults: list[Exception]) -> None:
    for row in rows:
        try:
            work(row, now=now)
        except Exception as error:
            logger.exception("%s of the schedule %s failed", work.__name__.strip("_"), getattr(row, "schedule", row))
            faults.append(error)


def note_due(schedule: ExportSchedule, *, now: datetime) -> bool:
    """Make the runs of a schedule that is due. False: somebody else has.

    schedule: as it was read; what is due is what was due then.
    """
    if schedule.next_due_at is None:
        return False
    due = decide_due(
        rhythm_of(schedule),
        next_due_at=schedule.next_due_at,
        now=now,
        catch_up=schedule.catch_up,
        within=timedelta(seconds=schedule.catch_up_seconds),
        late=LATE,
    )
    with transaction.atomic():
        # What was worked out holds for the rhythm that was read: a person may have changed it meanwhile.
        same = ExportSchedule.objects.filter(pk=schedule.pk, enabled=True, next_due_at=schedule.next_due_at).filter(
            cron=schedule.cron, interval_seconds=schedule.interval_seconds, time_zone=schedule.time_zone
        )
        moved = same.update(
            next_due_at=due.next_due_at, last_due_at=due.start[-1] if due.start else schedule.next_due_at
        )
        if not moved:
            return False
        runs = [ScheduleRun(schedule=schedule, due_at=time) for time in due.start]
        if due.missed:
            many = "It was" if due.missed == 1 else f"It and {due.missed - 1} later times were"
            reason = f"{many} missed: nothing was there to start it."
            missed_at = schedule.next_due_at
            runs.append(
                ScheduleRun(schedule=schedule, due_at=missed_at, status=Status.SKIPPED, reason=reason, completed_at=now)
            )
        ScheduleRun.objects.bulk_create(runs, ignore_conflicts=True)
    return True


def _first_time(schedule: ExportSchedule, *, now: datetime) -> None:
    ExportSchedule.objects.filter(pk=schedule.pk, enabled=True, next_due_at=None).update(
        next_due_at=due_after(rhythm_of(schedule), now)
    )


def _set_right(schedule: ExportSchedule, *, now: datetime) -> None:
    """Have a schedule due when it is, where a clock that was far ahead has moved it on beyond that."""
    rhythm = rhythm_of(schedule)
    if schedule.next_due_at is None or schedule.next_due_at <= due_after(rhythm, now + CLOCKS_DIFFER):
        return
    logger.warning("schedule %s: the clock had been ahead; it is due again as it says", schedule.name)
    same = ExportSchedule.objects.filter(pk=schedule.pk, enabled=True, next_due_at=schedule.next_due_at).filter(
        cron=schedule.cron, interval_seconds=schedule.interval_seconds, time_zone=schedule.time_zone
    )
    same.update(next_due_at=due_after(rhythm, now))


def _begin(run: ScheduleRun, *, now: datetime) -> None:
    """Start a run, or let it wait, or give it up, as the schedule's overlap rule says."""
    schedule = run.schedule
    active = (
        schedule.runs.filter(status=Status.RUNNING).select_related("bulk_export", "bulk_export__created_by").first()
    )
    if active is not None:
        on_time = run.by_hand or now - run.due_at <= LATE
        if schedule.overlap == ExportSchedule.Overlap.REPLACE:
            _replace(active, run=run, now=now)
        elif schedule.overlap == ExportSchedule.Overlap.SKIP and on_time:
            # What is made good waits for its turn: it was not due while the other one ran.
            _end(run, Status.SKIPPED, now=now, before=Status.QUEUED, reason="The one before still ran.")
        return
    try:
        with transaction.atomic():
            mine = ScheduleRun.objects.filter(pk=run.pk, status=Status.QUEUED).update(status=Status.RUNNING)
    except IntegrityError:
        # Another round has just begun another run of it, and one runs at a time.
        return
    if mine:
        _settle(run, now=now)


def _start_bulk_export(run: ScheduleRun, *, now: datetime) -> None:
    """Start what a run is for. It may be done again: the key starts it once."""
    try:
        bulk = _start(run)
    except RepomillError as error:
        if not error.retryable:
            _end(run, Status.FAILED, now=now, error=error.as_json())
        return
    ScheduleRun.objects.filter(pk=run.pk, status=Status.RUNNING).update(bulk_export=bulk)


def _start(run: ScheduleRun) -> BulkExport:
    schedule = run.schedule
    if schedule.owner is None or not schedule.owner.is_active:
        raise PermissionRefused(
            "The owner of the schedule is no longer active.", hint="Make it anew for somebody who is."
        )
    # One project that was deleted is no reason to leave out the others.
    selection, gone = without_gone(schedule.export["selection"], user=schedule.owner)
    if gone:
        result = {"archives_removed": 0, "projects_gone": gone}
        ScheduleRun.objects.filter(pk=run.pk, status=Status.RUNNING).update(result=result)
    return start_bulk_export(
        user=schedule.owner,
        key=f"schedule:{schedule.pk}:{run.due_at.isoformat()}",
        name=schedule.name,
        schedule_id=schedule.pk,
        **{**schedule.export, "selection": selection},
    )


def _replace(active: ScheduleRun, *, run: ScheduleRun, now: datetime) -> None:
    """Cancel what runs; the newest of those that wait begins when it has ended, and the others are given up."""
    newer = ScheduleRun.objects.filter(schedule_id=run.schedule_id, status=Status.QUEUED, due_at__gt=run.due_at)
    if newer.exists():
        _end(run, Status.SKIPPED, now=now, before=Status.QUEUED, reason="A later one took its place.")
        return
    bulk = active.bulk_export
    if bulk is None or bulk.cancel_requested_at is not None:
        return
    try:
        cancel_bulk_export(bulk)
    except Conflict:
        # It has just ended by itself.
        logger.info("schedule %s: the one before had ended already", run.schedule_id)


def _settle(run: ScheduleRun, *, now: datetime) -> None:
    if run.schedule.work == ExportSchedule.Work.ARCHIVE_GENERATIONS:
        _go_on_archiving(run, now=now)
        return
    bulk = run.bulk_export
    if bulk is None:
        # It has just begun, or whoever began it was lost at this point.
        _start_bulk_export(run, now=now)
        return
    if bulk.status not in _ENDS:
        return
    # However it has ended: what was delivered counts for each project, and one that always fails holds up no other.
    removed = prune_archives(run.schedule, now=now)
    _count(run, "archives_removed", removed)
    if _goes_on(run, removed, since=bulk.completed_at, now=now):
        return
    error = bulk.error or {
        "code": "items_failed",
        "message": "Items of the bulk export have failed.",
        "retryable": False,
    }
    _end(run, _ENDS[BULK(bulk.status)], now=now, error=error if bulk.status == BULK.FAILED else None)


def _go_on_archiving(run: ScheduleRun, *, now: datetime) -> None:
    """Archive the next generations; a round does some of them and leaves the others to the next."""
    days = run.schedule.keep_days
    removed = archive_generations(older_than=now - timedelta(days=days), now=now) if days else Removed(0)
    _count(run, "generations_archived", removed)
    if not _goes_on(run, removed, since=run.created_at, now=now):
        _end(run, Status.COMPLETED, now=now)


def _count(run: ScheduleRun, name: str, removed: Removed) -> None:
    result: dict[str, Any] = run.result or {name: 0}
    result[name] += removed.count
    ScheduleRun.objects.filter(pk=run.pk, status=Status.RUNNING).update(result=result)


def _goes_on(run: ScheduleRun, removed: Removed, *, since: datetime | None, now: datetime) -> bool:
    """Return whether the next round removes more, or tries again; after too many tries the run has failed here."""
    if removed.more and removed.count:
        return True
    if removed.failed and since is not None and now - since >= PATIENCE:
        logger.error("schedule %s: %d of what is old cannot be removed", run.schedule.name, removed.failed)
        _end(run, Status.FAILED, now=now, error=NOT_REMOVED)
    return removed.failed > 0


def _end(
    run: ScheduleRun,
    status: str,
    *,
    now: datetime,
    before: str = Status.RUNNING,
    reason: str = "",
    error: dict[str, Any] | None = None,
) -> None:
    ScheduleRun.objects.filter(pk=run.pk, status=before).update(
        status=status, completed_at=now, reason=reason, error=error
    )
