"""Delivers small archives of a bulk export together: what the database is asked and told is asked and told for all.

Packaging a small project takes a few milliseconds; the way of a task of its own takes several times that, most of it
spent in asking. So the message for one item stands for those after it too. Each has its own task, archive and record,
and one that cannot be delivered has no company: it is handed back, and goes the way of `bulk_delivery` by itself.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from backend.apps.authentication.grants import from_json, require_live
from backend.apps.authentication.roles import Right
from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.destination import ARCHIVES
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import Archive, GeneratedProject
from backend.apps.projects.selectors import projects_with_right
from backend.apps.projects.services import packaging
from backend.apps.projects.services.archive_publishing import Publisher
from backend.apps.projects.services.archive_storage import is_whole
from backend.apps.projects.services.archives import ArchiveFile
from backend.apps.projects.services.organisation_limits import require_storage_for_archive
from backend.apps.workflows.execution.claim import ClaimedTask, lease_duration
from backend.apps.workflows.execution.hand_back import hand_back
from backend.apps.workflows.execution.persistence import persistently
from backend.apps.workflows.execution.statements import insert
from backend.apps.workflows.execution.together import claim_together, complete_together
from backend.apps.workflows.execution.write_back import stop as stop_cancelled
from backend.apps.workflows.models import TaskExecution
from backend.errors import RepomillError
from backend.failpoints import Failpoint, reached

TOGETHER = 64
"""How many items in a row one message stands for at most: a single export waits for no more than these."""
SMALL = 1024 * 1024
"""Bytes of the largest project whose archive is made with others."""
SMALL_TOGETHER = 16 * SMALL
_NEEDED = (
    *("bulk_export_id", "position", "task_id", "project__slug", "project__organisation_id"),
    *("generation__commit", "generation__content_digest", "generation__empty_directories"),
)
"""What of an item, its project and its generation is read, of a great many rows."""
logger = logging.getLogger(__name__)


@dataclass
class _Delivery:
    """One item on its way. archive: what is recorded for it; written: the file, where it is yet to be recorded."""

    item: BulkExportItem
    claimed: ClaimedTask
    archive: Archive | None = None
    written: ArchiveFile | None = None


def needs_message(items: Sequence[BulkExportItem], *, export_type: str) -> list[bool]:
    """Say of items in a row, which carry the `size` of their projects, which need a message of their own."""
    found, company, total = [], TOGETHER, 0
    for item in items:
        size = _size(item)
        if export_type not in ARCHIVES or size is None or size > SMALL:
            found.append(True)
        elif company == TOGETHER or total + size > SMALL_TOGETHER:
            company, total = 1, size
            found.append(True)
        else:
            company, total = company + 1, total + size
            found.append(False)
    return found


def deliver_together(task_id: UUID, *, worker: str) -> list[UUID]:
    """Deliver the item of the task, and small ones after it that nobody has begun. Returns the tasks that it had.

    The item may have gone along with those before it; its message still stands for those after it. Where it returns
    none, the task is not for this, or is somebody else's; it has changed nothing then.
    """
    head = BulkExportItem.objects.select_related("bulk_export__created_by", "task").filter(task_id=task_id).first()
    if head is None or head.bulk_export.export_type not in ARCHIVES or not head.bulk_export.created_by.is_active:
        return []
    items = {item.task_id: item for item in _in_a_row(head)}
    if head.task_id not in items and not _is_seen_to(head.task, now=timezone.now()):
        return []
    claimed = persistently(claim_together, list(items), worker=worker, now=timezone.now())
    reached(Failpoint.AFTER_CLAIM)
    deliveries = [_Delivery(items[task.id], task) for task in claimed]
    done = _deliver(head.bulk_export, deliveries)
    for delivery in deliveries:
        if delivery.claimed.id not in done and not persistently(hand_back, delivery.claimed):
            # It was cancelled meanwhile, or another has it by now; then this changes nothing.
            persistently(stop_cancelled, delivery.claimed)
    return [task.id for task in claimed]


def _is_seen_to(task: TaskExecution | None, *, now: datetime) -> bool:
    """Say whether a task has ended, or is being done by somebody who lives."""
    if task is None or task.status == TaskExecution.Status.PENDING:
        return False
    return task.status != TaskExecution.Status.RUNNING or (task.lease_expires_at or now) > now


def _in_a_row(head: BulkExportItem) -> Iterable[BulkExportItem]:
    """Yield the item and the small ones after it that one message stands for."""
    near = BulkExportItem.objects.filter(
        bulk_export_id=head.bulk_export_id,
        status=BulkExportItem.Status.IN_FLIGHT,
        position__gte=head.position,
        generation__status=GeneratedProject.Status.COMPLETED,
        task__status="pending",
    )
    sized = near.annotate(size=F("generation__total_size")).filter(size__lte=SMALL)
    total = 0
    whole = sized.select_related("project", "generation").only(*_NEEDED)
    for item in whole.order_by("position")[:TOGETHER]:
        total += _size(item) or 0
        if total > SMALL_TOGETHER:
            return
        yield item


def _size(item: BulkExportItem) -> int | None:
    """Return the bytes of the item's project, read with it; None where its generation is gone."""
    size: int | None = getattr(item, "size", None)
    return size


def _deliver(bulk: BulkExport, deliveries: list[_Delivery]) -> set[UUID]:
    """Package and record what can be. Returns the tasks that need nothing more; the others are to be handed back."""
    try:
        ready = _packaged(bulk, _possible(bulk, deliveries))
        reached(Failpoint.PACKAGED)
        return persistently(_record, bulk, ready)
    except (RepomillError, IntegrityError) as error:
        # Another has recorded one of these archives, an organisation is full: by itself each is told what it is.
        logger.info("bulk export %s: %d items go by themselves: %s", bulk.pk, len(deliveries), type(error).__name__)
        return set()


def _possible(bulk: BulkExport, deliveries: list[_Delivery]) -> list[_Delivery]:
    """Return those whose project the user may export now. Nobody has begun them: it is the first attempt of each."""
    may = _may_export(bulk, deliveries)
    generations = [delivery.item.generation_id for delivery in deliveries]
    archives = {
        (archive.generated_project_id, archive.commit): archive
        for archive in Archive.objects.filter(generated_project__in=generations, format=bulk.export_type)
    }
    found = [delivery for delivery in deliveries if delivery.claimed.id in may]
    for delivery in found:
        generation = delivery.item.generation
        if generation is not None:
            delivery.archive = archives.get((generation.pk, generation.commit))
    return found


def _may_export(bulk: BulkExport, deliveries: list[_Delivery]) -> set[UUID]:
    """Return the tasks whose project the user may export now, with the token that they were started with, if any.

    Raises PermissionRefused once that token has ended.
    """
    if not deliveries:
        return set()
    kept = deliveries[0].claimed.grant
    alike = [delivery for delivery in deliveries if delivery.claimed.grant == kept]
    user = copy(bulk.created_by)
    try:
        grant = from_json(kept)
    except ValueError:
        # By itself each is refused as work with a damaged grant is.
        return set()
    require_live(grant)
    user.grant = grant and grant.of_work()
    projects = [delivery.item.project_id for delivery in alike if delivery.item.project_id is not None]
    mine = projects_with_right(user=user, right=Right.WRITE).filter(pk__in=projects)
    may = set(mine.values_list("pk", flat=True))
    return {delivery.claimed.id for delivery in alike if delivery.item.project_id in may}


def _packaged(bulk: BulkExport, deliveries: list[_Delivery]) -> list[_Delivery]:
    """Make the archives that are not there yet. Returns those that are all there now; the others go by themselves."""
    with Publisher() as publisher:
        made = [delivery for delivery in deliveries if _package(bulk, delivery, publisher)]
    return [made_one for made_one in made if made_one.written is None or not publisher.failed(made_one.written.path)]


def _package(bulk: BulkExport, delivery: _Delivery, publisher: Publisher) -> bool:
    """Make the archive unless it is there. False: it has to be tried by itself."""
    project, generation = delivery.item.project, delivery.item.generation
    if project is None or generation is None:
        return False
    if timezone.now() - delivery.claimed.started_at > lease_duration() / 3:
        # A disk this slow is for one at a time: nobody extends the lease here.
        return False
    if delivery.archive is not None:
        return is_whole(delivery.archive)
    try:
        key, written = packaging.write(
            project=project, generation=generation, format=bulk.export_type, publisher=publisher
        )
    except (RepomillError, OSError) as error:
        logger.info("bulk export %s: an item goes by itself: %s", bulk.pk, type(error).__name__)
        return False
    delivery.written = written
    delivery.archive = Archive(
        generated_project=generation,
        format=bulk.export_type,
        commit=generation.commit,
        path=key,
        size=written.size,
        digest=written.digest,
    )
    return True


def _record(bulk: BulkExport, deliveries: list[_Delivery]) -> set[UUID]:
    """Record archives and deliveries, and complete their tasks, all in one transaction."""
    now = timezone.now()
    exports = {delivery.claimed.id: _export(bulk, delivery, now=now) for delivery in deliveries}
    with transaction.atomic():
        results = [(delivery.claimed, _result(exports[delivery.claimed.id])) for delivery in deliveries]
        mine = complete_together(results, now=now)
        kept = [delivery for delivery in deliveries if delivery.claimed.id in mine]
        more: Counter[UUID] = Counter()
        for delivery in kept:
            project = delivery.item.project
            if project is not None and project.organisation_id and delivery.written is not None:
                # Together with those before it, which are not recorded yet.
                more[project.organisation_id] += delivery.written.size
                require_storage_for_archive(project=project, more=more[project.organisation_id])
        insert(delivery.archive for delivery in kept if delivery.written is not None and delivery.archive is not None)
        insert(exports[delivery.claimed.id] for delivery in kept)
    reached(Failpoint.WRITTEN_BACK)
    # What was overtaken is another attempt's.
    return set(exports)


def _export(bulk: BulkExport, delivery: _Delivery, *, now: datetime) -> RepositoryExport:
    archive = delivery.archive
    assert archive is not None  # noqa: S101  (it has been packaged)
    result = packaging.as_result(archive)
    return RepositoryExport(
        key=delivery.claimed.key,
        generated_project_id=archive.generated_project_id,
        export_type=bulk.export_type,
        archive_path=result["path"],
        archive_size=archive.size,
        commit=archive.commit,
        status=RepositoryExport.Status.COMPLETED,
        config={"request": {"format": bulk.export_type}, "result": result},
        created_by=bulk.created_by,
        completed_at=now,
    )


def _result(export: RepositoryExport) -> dict[str, Any]:
    result: dict[str, Any] = export.config["result"]
    return {**result, "export": str(export.pk), "generation": str(export.generated_project_id)}
