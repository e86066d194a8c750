"""What is read of the items of bulk exports: which there are, where each stands, and what they wait for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import CharField, Count, Min, Q, QuerySet, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.services.bulk_advance import plan_key
from backend.apps.exports.services.bulk_settling import ENDED
from backend.apps.workflows.models import TaskExecution

Item = BulkExportItem.Status
Task = TaskExecution.Status


@dataclass(frozen=True)
class Wait:
    """Something that a bulk export waits for. reason: a stable word. until: when it goes on, where that is known."""

    reason: str
    number: int
    until: datetime | None


def items_of(bulk: BulkExport, *, status: str | None = None, search: str | None = None) -> QuerySet[BulkExportItem]:
    """Return the items of a bulk export in order, with their exports: those of a status, or of certain projects.

    status: of the item, and of its task where that has ended and the item does not say so yet. search: a part of the
    project's slug.
    """
    items = BulkExportItem.objects.filter(bulk_export=bulk).select_related("export").order_by("position")
    if search:
        items = items.filter(project_slug__icontains=search)
    if status:
        ended = [task for task, item in ENDED.items() if item == status]
        wanted = Q(status=status)
        if status == Item.IN_FLIGHT:
            wanted &= ~Q(task__status__in=list(ENDED))
        elif ended:
            wanted |= Q(status=Item.IN_FLIGHT, task__status__in=ended)
        items = items.filter(wanted)
    return items


def with_tasks(items: QuerySet[BulkExportItem]) -> QuerySet[BulkExportItem]:
    """Return the items with what their tasks say, and without what the tasks were given and have yielded."""
    return items.select_related("export", "task").defer("task__arguments", "task__result")


def item_standing(item: BulkExportItem) -> str:
    """Return where an item stands: while it is in flight as its task says. The item has been read with its task."""
    if item.status != Item.IN_FLIGHT or item.task is None:
        return item.status
    return ENDED.get(Task(item.task.status), Item.IN_FLIGHT)


def waits_of(bulk: BulkExport, *, now: datetime) -> list[Wait]:
    """Return what it waits for: a host's limit, a person, a worker. In three queries."""
    if bulk.status == BulkExport.Status.PENDING:
        planner = TaskExecution.objects.filter(key=plan_key(bulk)).only("status").first()
        waiting = bulk.paused_at is None and planner is not None and planner.status == Task.PENDING
        return [Wait("planner", 1, None)] if waiting else []
    flying = TaskExecution.objects.filter(
        pk__in=BulkExportItem.objects.filter(bulk_export=bulk, status=Item.IN_FLIGHT).values("task")
    ).order_by()
    code = Coalesce(KeyTextTransform("code", "error"), Value("later"), output_field=CharField())
    later = flying.filter(status=Task.PENDING, not_before__gt=now).annotate(code=code)
    found = [
        Wait(reason, number, until)
        for reason, number, until in later.values_list("code").annotate(n=Count("pk"), until=Min("not_before"))
    ]
    counted = flying.aggregate(
        ready=Count("pk", filter=Q(status=Task.PENDING) & (Q(not_before=None) | Q(not_before__lte=now))),
        doubt=Count("pk", filter=Q(status=Task.IN_DOUBT)),
    )
    if counted["ready"]:
        found.append(Wait("worker", counted["ready"], None))
    doubts = counted["doubt"] + BulkExportItem.objects.filter(bulk_export=bulk, status=Item.IN_DOUBT).count()
    if doubts:
        found.append(Wait("in_doubt", doubts, None))
    return sorted(found, key=lambda wait: -wait.number)
