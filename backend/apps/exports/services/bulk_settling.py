"""Takes over into the items of a bulk export how their tasks have ended, however many those are.

One statement reads the tasks and writes the items, one notes what the destination has now: a row read into Python and
written back costs several times what the database needs for it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q

from backend.apps.exports.bulk_models import BulkExport, BulkExportItem, LastDelivery
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import GeneratedProject
from backend.apps.workflows.execution.statements import MOST_PARAMETERS, as_value, fetch, run
from backend.apps.workflows.models import TaskExecution

Item = BulkExportItem.Status
Task = TaskExecution.Status
ENDED = {
    Task.COMPLETED: Item.COMPLETED,
    Task.FAILED: Item.FAILED,
    Task.IN_DOUBT: Item.IN_DOUBT,
    Task.CANCELLED: Item.CANCELLED,
}
"""What an item is whose task has ended so."""
LOST = {"code": "not_found", "message": "The record of the item's task is gone.", "retryable": False}
_OPEN = (Item.IN_FLIGHT, Item.IN_DOUBT)
_ITEM = BulkExportItem._meta.db_table
_STATUS = f"""
CASE {" ".join(f"WHEN task.status = '{task.value}' THEN '{item.value}'" for task, item in ENDED.items())}
    WHEN task.id IS NULL THEN '{Item.FAILED.value}' END
"""
_TAKE_OVER = f"""
UPDATE {_ITEM} SET
    status = {_STATUS},
    error = CASE WHEN task.id IS NULL THEN %(lost)s WHEN export.id IS NULL THEN task.error END,
    completed_at = COALESCE(task.completed_at, %(now)s),
    export_id = COALESCE(export.id, {_ITEM}.export_id),
    content_digest = COALESCE(generation.content_digest, {_ITEM}.content_digest)
FROM {_ITEM} AS before
LEFT JOIN {TaskExecution._meta.db_table} AS task ON task.id = before.task_id
LEFT JOIN {RepositoryExport._meta.db_table} AS export ON export.key = task.key
    AND task.status = '{Task.COMPLETED.value}' AND export.status = '{RepositoryExport.Status.COMPLETED.value}'
LEFT JOIN {GeneratedProject._meta.db_table} AS generation ON generation.id = export.generated_project_id
WHERE {_ITEM}.id = before.id AND before.bulk_export_id = %(bulk)s
    AND before.status IN ({", ".join(f"'{status.value}'" for status in _OPEN)}) AND {_STATUS} <> before.status
RETURNING {_ITEM}.id, {_ITEM}.status
"""  # noqa: S608  (names of tables and words of our own)
_NOTE_DELIVERIES = f"""
INSERT INTO {LastDelivery._meta.db_table} (project_id, destination_key, content_digest, export_id, delivered_at)
SELECT project_id, %s, content_digest, export_id, %s FROM {_ITEM}
WHERE project_id IS NOT NULL AND export_id IS NOT NULL AND id IN ({{items}})
ON CONFLICT (destination_key, project_id) DO UPDATE SET
    content_digest = excluded.content_digest, export_id = excluded.export_id, delivered_at = excluded.delivered_at
"""  # noqa: S608  (names of tables)


def settle(bulk: BulkExport, *, now: datetime) -> int:
    """Take over how tasks have ended. Returns how many items are still in flight.

    The caller has the bulk export's row locked. What it was told of an item once is not told again.
    """
    given = {
        "bulk": as_value(BulkExport, "id", bulk.pk),
        "now": as_value(BulkExportItem, "completed_at", now),
        "lost": as_value(BulkExportItem, "error", LOST),
    }
    changed = fetch(_TAKE_OVER, given)
    _note_deliveries(bulk, [pk for pk, status in changed if status == Item.COMPLETED], now=now)
    open_items = BulkExportItem.objects.filter(bulk_export=bulk, status__in=_OPEN, task__isnull=False)
    return open_items.filter(~Q(task__status__in=list(ENDED))).count()


def _note_deliveries(bulk: BulkExport, delivered: list[Any], *, now: datetime) -> None:
    """Note what the destination has now, so that it is not sent again."""
    given = [bulk.destination_key, as_value(LastDelivery, "delivered_at", now)]
    at_once = MOST_PARAMETERS - len(given)
    for begin in range(0, len(delivered), at_once):
        part = delivered[begin : begin + at_once]
        run(_NOTE_DELIVERIES.format(items=", ".join(["%s"] * len(part))), [*given, *part])
