"""Lets a bulk export go on: takes over what has ended, starts what may start, and ends it when all is over.

Only a window of its items is in flight; ten thousand wait in the database, so that everybody else's messages never wait
behind them. It goes on when the task of a marked item ends, several times per window, and every few seconds by the
clock, which makes good what was lost. One round is a constant number of queries under the lock of the bulk export's
row; two rounds at once are one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, F, Q
from django.utils import timezone

from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.services.bulk_archives import needs_message
from backend.apps.exports.services.bulk_settling import settle
from backend.apps.workflows.execution.statements import as_value, run
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services.fan_out import Call, enqueue_calls, take_up_again, withdraw

DELIVER = "bulk.deliver"
MARKS_AT_THE_END = 8
"""How often, about, a round says how far it is with the items that were started last."""
_ITEM = BulkExportItem._meta.db_table
# The bulk export's row is locked: those that wait up to there are those that have been read.
_START = f"""
UPDATE {_ITEM} SET status = '{BulkExportItem.Status.IN_FLIGHT.value}', task_id = task.id,
    refills = ({_ITEM}.position %% %(step)s = 0)
FROM {TaskExecution._meta.db_table} AS task
WHERE {_ITEM}.bulk_export_id = %(bulk)s AND {_ITEM}.status = '{BulkExportItem.Status.PENDING.value}'
    AND {_ITEM}.position <= %(through)s AND task.key = %(key)s || CAST({_ITEM}.position AS TEXT)
"""  # noqa: S608  (names of tables and words of our own)
Status = BulkExport.Status
Item = BulkExportItem.Status
Task = TaskExecution.Status


def advance(bulk_export_id: UUID, *, now: datetime, wait: bool = True, most: int | None = None) -> int:
    """Do one round, and return how many items it has started.

    wait: for a round that is under way; without it, that one is enough.
    most: how many items to start; by default as many as the window has room for.
    """
    with transaction.atomic():
        bulk = locked(bulk_export_id, wait=wait)
        if bulk is None or bulk.status != Status.RUNNING:
            return 0
        in_flight, started = settle(bulk, now=now), 0
        if bulk.paused_at is not None:
            # What ran when it was paused may wait by now, for a limit or to be tried again.
            hold_back(bulk, now=now)
        elif bulk.cancel_requested_at is None:
            room = bulk.window - in_flight
            started = _refill(bulk, room=room if most is None else min(most, room))
        if in_flight + started == 0:
            end_if_over(bulk, now=now)
    return started


def advance_after(task_ids: Sequence[UUID]) -> None:
    """Do a round if one of the tasks that have just ended marks the moment for it, or is the last in flight."""
    ended = BulkExportItem.objects.filter(task_id__in=task_ids).order_by()
    for bulk_export_id, marked in ended.values_list("bulk_export_id").annotate(marked=Count("pk", Q(refills=True))):
        if marked or not _under_way(bulk_export_id):
            advance(bulk_export_id, now=timezone.now())


def _under_way(bulk_export_id: UUID) -> bool:
    """Say whether a task of what is in flight has not ended."""
    in_flight = BulkExportItem.objects.filter(bulk_export_id=bulk_export_id, status=Item.IN_FLIGHT)
    return in_flight.filter(task__status__in=[Task.PENDING, Task.RUNNING]).exists()


def advance_all(*, now: datetime) -> int:
    """Do a round for every bulk export that is not over, and return how many there are. For the clock."""
    for bulk in BulkExport.objects.filter(status=Status.PENDING):
        _fail_unplanned(bulk, now=now)
    running = list(BulkExport.objects.filter(status=Status.RUNNING).values_list("pk", flat=True))
    for bulk_export_id in running:
        advance(bulk_export_id, now=now, wait=False)
    return len(running)


def locked(bulk_export_id: UUID, *, wait: bool) -> Any:  # noqa: ANN401  (a BulkExport, or None)
    """Return the bulk export with its row locked; None where it is gone, or locked and not waited for."""
    skip = not wait and connection.features.has_select_for_update_skip_locked
    rows = BulkExport.objects.select_for_update(of=("self",), skip_locked=skip)
    return rows.filter(pk=bulk_export_id).first()


def hold_back(bulk: BulkExport, *, now: datetime) -> None:
    """Withdraw what is in flight and nobody has begun. The caller has the bulk export's row locked."""
    in_flight = BulkExportItem.objects.filter(bulk_export=bulk, status=Item.IN_FLIGHT)
    withdraw(list(in_flight.filter(task__status=Task.PENDING).values_list("task_id", flat=True)), now=now)
    in_flight.filter(task__status=Task.CANCELLED).update(status=Item.PENDING)


def end_if_over(bulk: BulkExport, *, now: datetime, reopened: bool = False) -> None:
    """End the bulk export if no item is left to do. reopened: it is one that had ended as failed."""
    statuses = set(
        BulkExportItem.objects.filter(bulk_export=bulk).order_by().values_list("status", flat=True).distinct()
    )
    if {Item.IN_FLIGHT, Item.PENDING} & statuses:
        return
    outcome = Status.COMPLETED
    if bulk.cancel_requested_at is not None:
        outcome = Status.CANCELLED
    elif {Item.FAILED, Item.IN_DOUBT} & statuses:
        outcome = Status.FAILED
    before = Status.FAILED if reopened else Status.RUNNING
    BulkExport.objects.filter(pk=bulk.pk, status=before).update(
        status=outcome, completed_at=now, paused_at=None, cancel_requested_at=None, error=None
    )


def plan_key(bulk: BulkExport) -> str:
    """Return the key of the task that plans a bulk export."""
    return _key(bulk, "plan")


def plan_again(bulk: BulkExport) -> None:
    """Have a bulk export planned again whose planning had failed; it goes on where that was."""
    take_up_again(list(TaskExecution.objects.filter(key=plan_key(bulk)).values_list("pk", flat=True)))


def _refill(bulk: BulkExport, *, room: int) -> int:
    """Start as many of the next items as there is room for, and return how many those are."""
    if room <= 0:
        return 0
    waiting = BulkExportItem.objects.filter(bulk_export=bulk, status=Item.PENDING).order_by("position")
    waiting = waiting.annotate(size=F("generation__total_size"))
    items = list(waiting.only("position", "project_id", "project_slug", "task_id")[: room + 1])
    last = len(items) <= room
    items = items[:room]
    if not items:
        return 0
    _enqueue(bulk, [item for item in items if item.task_id is None])
    take_up_again([item.task_id for item in items if item.task_id is not None])
    # Towards the end nothing is started any more, and each round only says how far it is.
    step = max(1, len(items) // MARKS_AT_THE_END if last else bulk.window // 2)
    given = {
        "bulk": as_value(BulkExport, "id", bulk.pk),
        "through": items[-1].position,
        "step": step,
        "key": _key(bulk, ""),
    }
    run(_START, given)
    return len(items)


def _enqueue(bulk: BulkExport, items: list[BulkExportItem]) -> None:
    """Have the items delivered, each by a task of its own; small ones share messages."""
    if not items:
        return
    enqueue_calls(
        method=DELIVER,
        user_id=bulk.created_by_id,
        calls=[
            Call(
                key=_key(bulk, item.position),
                arguments={"item": item.pk},
                project_id=item.project_id,
                project_name=item.project_slug,
                sent=sent,
            )
            for item, sent in zip(items, needs_message(items, export_type=bulk.export_type), strict=True)
        ],
        # The task that planned it was recorded by who started it.
        grant=TaskExecution.objects.filter(key=plan_key(bulk)).values_list("grant", flat=True).first(),
    )


def _key(bulk: BulkExport, what: int | str) -> str:
    """Return the key of one of a bulk export's tasks: of an item by its position, or of the planning."""
    return f"bulk:{bulk.pk}:{what}"


def _fail_unplanned(bulk: BulkExport, *, now: datetime) -> None:
    """Call a bulk export failed whose planning has failed for good."""
    task = TaskExecution.objects.filter(key=plan_key(bulk)).only("status", "error").first()
    if task is None or task.status not in {Task.FAILED, Task.CANCELLED, Task.IN_DOUBT}:
        return
    BulkExport.objects.filter(pk=bulk.pk, status=Status.PENDING).update(
        status=Status.FAILED, error=task.error, completed_at=now, paused_at=None
    )
