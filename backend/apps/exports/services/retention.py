"""Removes what nobody needs any more: a schedule's older archives, and the files of old generations.

Records stay. A project's last archive and its newest generation are never removed, whatever the numbers say, nor what
an execution or a delivery still uses. Each call does some of the work, so that a round of the clock stays short. What
cannot be removed holds up nothing else, and is taken up again by the next call.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from backend.apps.exports.bulk_models import BulkExportItem, LastDelivery
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.schedule_models import ExportSchedule
from backend.apps.projects.models import Archive, GeneratedProject
from backend.apps.projects.services.archive_storage import remove_archive
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.errors import RepomillError

AT_ONCE = 200
SECONDS = 5.0
"""How long a round goes on to the next generation. With one that took minutes, each after it would begin beside it."""
logger = logging.getLogger(__name__)

_Generation = GeneratedProject.Status
_Export = RepositoryExport.Status
_Item = BulkExportItem.Status
_Task = TaskExecution.Status


@dataclass(frozen=True)
class Removed:
    """How many a call has removed, and how many it could not remove. more: whether it has stopped before the last."""

    count: int
    failed: int = 0
    more: bool = False


def prune_archives(schedule: ExportSchedule, *, now: datetime, limit: int = AT_ONCE) -> Removed:
    """Remove archives that the schedule delivered and does not keep, at most `limit`.

    An archive is kept that is among the project's last `keep_last`, or younger than `keep_days`; without either of
    the two numbers everything is. One that was delivered several times is one archive, as old as its last delivery.
    """
    if schedule.keep_last is None and schedule.keep_days is None:
        return Removed(0)
    delivered = RepositoryExport.objects.filter(
        pk__in=BulkExportItem.objects.filter(bulk_export__schedule=schedule).exclude(export=None).values("export"),
        status=_Export.COMPLETED,
    ).exclude(archive_path="")
    archives = delivered.order_by().values("generated_project__project", "generated_project", "export_type")
    archives = archives.annotate(last=Max("completed_at"), recorded=Max("created_at")).annotate(
        rank=Window(
            RowNumber(),
            partition_by=F("generated_project__project"),
            order_by=[F("last").desc(), F("recorded").desc()],
        )
    )
    beyond = archives.filter(rank__gt=max(1, schedule.keep_last or 1)).order_by("last")
    counts = {True: 0, False: 0}
    for archive in beyond[:limit]:
        # Not in the query: another condition beside the rank would be asked first, and the rank be that among the rest.
        if schedule.keep_days is not None and archive["last"] >= now - timedelta(days=schedule.keep_days):
            break
        if GeneratedProject.objects.filter(_in_delivery(), pk=archive["generated_project"]).exists():
            continue
        same = {name: archive[name] for name in ("generated_project", "export_type")}
        counts[_remove_archive(list(delivered.filter(**same)))] += 1
    return _removed(counts, limit)


def archive_generations(*, older_than: datetime, now: datetime, limit: int = AT_ONCE) -> Removed:
    """Archive generations that were completed before then, at most `limit`: their files go, record and commit stay.

    Where that takes long it stops early.
    """
    unused = _unused(GeneratedProject.objects.filter(status=_Generation.COMPLETED, completed_at__lt=older_than))
    chosen = list(unused.order_by("completed_at").values_list("pk", flat=True)[:limit])
    # Once more in the UPDATE itself: somebody may have begun to use one of them.
    _unused(GeneratedProject.objects.filter(pk__in=chosen, status=_Generation.COMPLETED)).update(
        status=_Generation.ARCHIVED, updated_at=now
    )
    with_files = GeneratedProject.objects.filter(status=_Generation.ARCHIVED).exclude(output_directory="")
    counts = {True: 0, False: 0}
    until = time.monotonic() + SECONDS
    for generation in with_files.order_by("completed_at")[:limit]:
        counts[_remove_files(generation)] += 1
        if counts[True] and time.monotonic() > until:
            return Removed(counts[True], failed=counts[False], more=True)
    return _removed(counts, limit)


def remove_archived_here() -> int:
    """Remove the workspaces that this host has of generations whose files another host has removed. Returns how many.

    That the removal is recorded decides: what the database does not know may be of one that was restored from a backup.
    """
    there = _workspaces_here()
    removed = 0
    for begin in range(0, len(there), AT_ONCE):
        archived = GeneratedProject.objects.filter(status=_Generation.ARCHIVED, output_directory="")
        for generation in archived.filter(pk__in=there[begin : begin + AT_ONCE]):
            removed += _remove_workspace(generation)
    return removed


def _workspaces_here() -> list[UUID]:
    folder = Path(settings.GENERATED_PROJECTS_DIR)
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        # Other names lie there too, as that of the folder of locks.
        with suppress(ValueError):
            found.append(UUID(path.name))
    return found


def _removed(counts: dict[bool, int], limit: int) -> Removed:
    return Removed(counts[True], failed=counts[False], more=sum(counts.values()) >= limit)


def _unused(generations: QuerySet[GeneratedProject]) -> QuerySet[GeneratedProject]:
    """Leave out each project's newest generation, and those that something still works with."""
    newer = GeneratedProject.objects.filter(
        project=OuterRef("project"), status=_Generation.COMPLETED, completed_at__gt=OuterRef("completed_at")
    )
    working = WorkflowExecution.Status
    executions = WorkflowExecution.objects.filter(
        pk=OuterRef("workflow_execution"), status__in=[working.PENDING, working.RUNNING]
    )
    followers = GeneratedProject.objects.filter(
        based_on=OuterRef("pk"), status__in=[_Generation.PENDING, _Generation.GENERATING]
    )
    used = Exists(executions) | _in_delivery() | Exists(followers)
    return generations.filter(Exists(newer)).exclude(used)


def _in_delivery() -> Q:
    """Choose generations that are being delivered, or are about to be."""
    # A delivery that waits for its next attempt is called failed meanwhile; its task says that it goes on.
    going_on = TaskExecution.objects.filter(status__in=[_Task.PENDING, _Task.RUNNING]).values("key")
    exports = RepositoryExport.objects.filter(generated_project=OuterRef("pk")).filter(
        Q(status__in=[_Export.PENDING, _Export.EXPORTING]) | Q(status=_Export.FAILED, key__in=going_on)
    )
    items = BulkExportItem.objects.filter(generation=OuterRef("pk"), status__in=[_Item.PENDING, _Item.IN_FLIGHT])
    return Exists(exports) | Exists(items)


def _remove_files(generation: GeneratedProject) -> bool:
    """Remove a generation's workspace, and its archives that were never delivered. False: not all of it now."""
    delivered = RepositoryExport.objects.filter(generated_project=generation).exclude(archive_path="")
    archives = Archive.objects.filter(generated_project=generation)
    try:
        _remove(archives.exclude(format__in=delivered.values("export_type")))
    except (RepomillError, OSError) as error:
        logger.warning("the archives of generation %s stay for now: %s", generation.pk, type(error).__name__)
        return False
    if not _remove_workspace(generation):
        return False
    GeneratedProject.objects.filter(pk=generation.pk).update(output_directory="", workspace_seal="")
    return True


def _remove_workspace(generation: GeneratedProject) -> bool:
    """Remove what this host has of it. False: not now."""
    try:
        ProjectGenerator(str(generation.project_id), generation_id=str(generation.pk)).cleanup()
    except (RepomillError, OSError) as error:
        logger.warning("the workspace of generation %s stays for now: %s", generation.pk, type(error).__name__)
        return False
    return True


def _remove_archive(exports: Sequence[RepositoryExport]) -> bool:
    """Remove the file of deliveries of one archive; their records stay. False: not now."""
    for export in exports:
        try:
            _remove_delivered(export)
        except (RepomillError, OSError) as error:
            logger.warning("the archive of the export %s stays for now: %s", export.pk, type(error).__name__)
            return False
    return True


def _remove_delivered(export: RepositoryExport) -> None:
    """Remove the file of a delivery unless another delivery has the same one; the delivery's record stays."""
    same = Q(generated_project=export.generated_project_id, export_type=export.export_type)
    others = RepositoryExport.objects.filter(same).exclude(pk=export.pk).exclude(archive_path="")
    if not others.exists():
        _remove(
            Archive.objects.filter(
                generated_project=export.generated_project_id, format=export.export_type, commit=export.commit
            )
        )
    # The same content is to be delivered again when it is asked for: the storage has it no more.
    LastDelivery.objects.filter(export=export).update(export=None)
    RepositoryExport.objects.filter(pk=export.pk).update(
        archive_path="",
        config={**export.config, "archive_removed_at": timezone.now().isoformat()},
        updated_at=timezone.now(),
    )


def _remove(archives: QuerySet[Archive]) -> None:
    for archive in archives:
        remove_archive(archive)
        archive.delete()
