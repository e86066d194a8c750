"""Plans a bulk export: makes an item of each of its projects.

It goes through the projects in chunks, by their ids. Each chunk is a constant number of queries and one transaction,
which moves `planned_through` on by a conditional UPDATE: a planner that was lost, or doubled, plans nothing twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.selection import stored_selection
from backend.apps.exports.services import bulk_advance
from backend.apps.exports.services.bulk_candidates import insert_items, next_through
from backend.errors import TemporaryFailure

CHUNK = 5000
FIRST = 128
"""How many items are started first, so that others have work while the rest of a window is recorded."""
Status = BulkExport.Status
Item = BulkExportItem.Status


def plan_items(*, bulk_export_id: UUID) -> dict[str, Any]:
    """Plan all items of a pending bulk export and let them start. Returns how many there are, and how many to deliver.

    Raises TemporaryFailure where another planner works on it.
    """
    while True:
        bulk = BulkExport.objects.select_related("created_by").filter(pk=bulk_export_id).first()
        if bulk is None or bulk.status != Status.PENDING:
            # It was cancelled or deleted, or another attempt has planned it.
            return {"planned": BulkExportItem.objects.filter(bulk_export_id=bulk_export_id).count()}
        if not _plan_chunk(bulk):
            break
    _open(bulk, now=timezone.now())
    if bulk_advance.advance(bulk.pk, now=timezone.now(), most=FIRST) == FIRST:
        bulk_advance.advance(bulk.pk, now=timezone.now())
    items = BulkExportItem.objects.filter(bulk_export=bulk)
    return {"planned": items.count(), "skipped": items.filter(status=Item.SKIPPED).count()}


def _plan_chunk(bulk: BulkExport) -> bool:
    """Plan the next chunk. False: there is none."""
    selection = stored_selection(bulk.selection)
    through = next_through(selection, bulk=bulk, most=CHUNK)
    if through is None:
        return False
    with transaction.atomic():
        mine = BulkExport.objects.filter(
            pk=bulk.pk, status=Status.PENDING, planned_through=bulk.planned_through, total=bulk.total
        ).update(planned_through=through)
        if not mine:
            raise TemporaryFailure("Another attempt plans this bulk export.", retry_after=1.0)
        inserted = insert_items(selection, bulk=bulk, through=through, now=timezone.now())
        BulkExport.objects.filter(pk=bulk.pk).update(total=bulk.total + inserted)
    return True


def _open(bulk: BulkExport, *, now: datetime) -> None:
    BulkExport.objects.filter(pk=bulk.pk, status=Status.PENDING).update(status=Status.RUNNING, started_at=now)
