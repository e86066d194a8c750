"""Goes on with a step that is repeated for a list: starts waiting items as others end, and collects their results.

Everything here runs inside the caller's transaction, with the execution's row locked. What it asks of the database
does not depend on how many items there are; the execution's state is written once, when the step ends.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import Q, Sum, TextField
from django.db.models.functions import Cast, Length
from django.utils import timezone

from backend.apps.workflows import step_types
from backend.apps.workflows.decisions.items import collect_errors, collect_results, decide_items
from backend.apps.workflows.definitions.definition import Step
from backend.apps.workflows.execution.chains import send
from backend.apps.workflows.execution.statements import Columns, as_value, fetch
from backend.apps.workflows.models import StepExecution, TaskExecution
from backend.apps.workflows.publishing import sending
from backend.errors import InvalidInput

Status = TaskExecution.Status
_LINK = Columns(TaskExecution, ["item", "result"])
_LINKS = f'SELECT {_LINK.text} FROM "{TaskExecution._meta.db_table}" WHERE "step_id" = %s'  # noqa: S608
_IN_ORDER = ' ORDER BY "item", "position"'
LARGEST_RESULTS = 32 * 1024 * 1024
"""Characters that the results of a step's items may have together, as JSON: later steps read them as one value."""


def after_item(step: Step, step_pk: UUID, *, item: int, failed: bool) -> bool:
    """Go on after an item's last link, or the link at which it failed. True: the whole step has ended."""
    tasks = TaskExecution.objects.filter(step_id=step_pk)
    if failed:
        gone = Q(item=item) | Q(item__in=_waiting_items(step_pk))
        tasks.filter(gone, status=Status.PENDING).update(status=Status.CANCELLED, next_publish_at=None)
    in_flight = tasks.filter(Q(status=Status.RUNNING) | Q(status=Status.PENDING, ready=True)).count()
    waiting = [] if failed else list(_waiting_items(step_pk)[: step.max_parallel])
    following = decide_items(waiting=bool(waiting), in_flight=in_flight, max_parallel=step.max_parallel, failed=failed)
    if chosen := waiting[: following.start]:
        _start(step_pk, chosen)
    return following.over


def _waiting_items(step_pk: UUID) -> Any:  # noqa: ANN401  (a query of numbers; its type is not public)
    waiting = TaskExecution.objects.filter(step_id=step_pk, status=Status.PENDING, ready=False, position=0)
    return waiting.order_by("item").values_list("item", flat=True)


def _start(step_pk: UUID, items: list[int]) -> None:
    tasks = TaskExecution.objects.filter(step_id=step_pk, item__in=items)
    tasks.filter(position=0).update(ready=True, **sending(timezone.now()))
    rows = tasks.defer("arguments", "result").order_by("item", "position")
    for _, chain in groupby(rows, key=lambda task: task.item):
        send(list(chain))


def error_of(step_pk: UUID) -> dict[str, Any] | None:
    """Return the error of a step whose items have ended, or None where none of them has failed."""
    failed = TaskExecution.objects.filter(step_id=step_pk, status__in=[Status.FAILED, Status.IN_DOUBT])
    rows = failed.order_by("completed_at", "item").values_list("item", "error")
    return collect_errors([(item, error or {}) for item, error in rows])


def reading_links(step_pk: UUID, *, item: int | None = None) -> tuple[str, list[Any]]:
    """Return the statement that reads the results of a step's links for `result_of`: those of all items, or of one."""
    step = as_value(TaskExecution, "step", step_pk)
    if item is None:
        return _LINKS + _IN_ORDER, [step]
    return _LINKS + ' AND "item" = %s' + _IN_ORDER, [step, item]


def result_of(step: StepExecution, *, each: bool, links: list[tuple[Any, ...]] | None = None) -> Any:  # noqa: ANN401
    """Return what a step's type makes of its links' results; with `each`, a list with the result of every item.

    links: what `reading_links` gave, where the caller has it already.
    Raises InvalidInput where the items' results are too large to be one value.
    """
    if each:
        size = (
            TaskExecution.objects.filter(step=step).aggregate(size=Sum(Length(Cast("result", TextField()))))["size"]
            or 0
        )
        if size > LARGEST_RESULTS:
            raise InvalidInput(
                f"The results of the items are larger than {LARGEST_RESULTS // 1024 // 1024} MiB.",
                path=f"steps.{step.step_id}.each",
                hint="Repeat the step for fewer items, or for what answers with less.",
            )
    step_type = step_types.get(step.step_type)
    found = fetch(*reading_links(step.pk)) if links is None else links
    rows = ((link.item, link.result) for link in map(_LINK.read, found))
    results = collect_results(rows, step_type.result_of if step_type else step_types.last_result)
    return results if each else results[0]
