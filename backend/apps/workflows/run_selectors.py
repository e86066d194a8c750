"""What is read of one run to look at it as a whole: its tasks, its attempts, its log and what people did to it.

Each takes an execution that `access.get_execution` has given out. What is asked is bounded: a run of a thousand items
is read in parts, and its repeated steps by their counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from uuid import UUID

from django.db.models import Q

from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution

ATTEMPT_ENDS = (
    *("task_completed", "task_waits", "task_failed", "task_cancelled", "task_handed_back"),
    "lease_expired",
)
"""Events with which an attempt of a task is over."""
MOST_TASKS = 100
MOST_ATTEMPTS = 400
SEARCHED_AT_ONCE = 1_000
MOST_SEARCHED = 20_000


def steps_without_results(execution: WorkflowExecution) -> list[StepExecution]:
    """Return an execution's steps in the definition's order, without their results, which can be large."""
    return list(StepExecution.objects.filter(execution=execution).defer("result").order_by("position"))


def tasks_to_show(
    execution: WorkflowExecution,
    *,
    without: Collection[str] = (),
    step: str | None = None,
    after: tuple[int, int] | None = None,
) -> list[TaskExecution]:
    """Return up to MOST_TASKS tasks by step, item and link, without arguments and results.

    without: steps whose tasks are left out. step: this one alone. after: the item and link of the last one that is
    known.
    """
    rows = TaskExecution.objects.filter(execution=execution).exclude(step__step_id__in=without)
    if step is not None:
        rows = rows.filter(step__step_id=step)
    if after is not None:
        rows = rows.filter(Q(item__gt=after[0]) | Q(item=after[0], position__gt=after[1]))
    lean = rows.select_related("step").defer("arguments", "result", "step__result", "step__error")
    return list(lean.order_by("step__position", "item", "position")[:MOST_TASKS])


def place_of(task: TaskExecution) -> int:
    """Return how many tasks of its step `tasks_to_show` has before this one."""
    before = Q(item__lt=task.item) | Q(item=task.item, position__lt=task.position)
    return TaskExecution.objects.filter(before, step=task.step).count()


def attempts_of(execution: WorkflowExecution, *, without: Collection[str] = ()) -> list[ExecutionEvent]:
    """Return the ends of the newest MOST_ATTEMPTS attempts, in order. without: steps that are left out."""
    ends = ExecutionEvent.objects.filter(execution=execution, kind__in=ATTEMPT_ENDS).exclude(step_id__in=without)
    return sorted(ends.order_by("-sequence")[:MOST_ATTEMPTS], key=lambda event: event.sequence)


def log_after(execution_id: UUID, sequence: int, *, step: str | None, limit: int) -> list[ExecutionEvent]:
    """Return the next events after a number. step: those of this step alone."""
    rows = ExecutionEvent.objects.filter(execution_id=execution_id, sequence__gt=sequence)
    if step is not None:
        rows = rows.filter(step_id=step)
    return list(rows.order_by("sequence")[:limit])


def log_before(
    execution_id: UUID,
    sequence: int | None,
    *,
    step: str | None,
    limit: int,
    wanted: Callable[[ExecutionEvent], bool] | None = None,
) -> tuple[list[ExecutionEvent], bool]:
    """Return the newest events before a number (None: the end), in order, and whether there are earlier ones.

    wanted: which of them; at most MOST_SEARCHED are looked at for that, a part at a time.
    """
    found: list[ExecutionEvent] = []
    for _ in range(MOST_SEARCHED // SEARCHED_AT_ONCE):
        rows = ExecutionEvent.objects.filter(execution_id=execution_id)
        rows = rows if step is None else rows.filter(step_id=step)
        rows = rows if sequence is None else rows.filter(sequence__lt=sequence)
        size = SEARCHED_AT_ONCE if wanted else limit + 1
        part = list(rows.order_by("-sequence")[:size])
        found += [event for event in part if wanted is None or wanted(event)]
        if wanted is None or len(found) > limit or len(part) < size:
            break
        sequence = part[-1].sequence
    return found[:limit][::-1], len(found) > limit


def acts_of(execution: WorkflowExecution) -> list[ExecutionEvent]:
    """Return what people did: who started it, and who paused, resumed, cancelled, retried or settled what."""
    done = ExecutionEvent.objects.filter(execution=execution, kind__in=ACTS)
    return list(done.order_by("sequence")[:MOST_ATTEMPTS])


ACTS = (
    *("execution_started", "execution_paused", "execution_resumed", "execution_cancelling", "step_cancelling"),
    *("step_retried", "task_resolved"),
)
"""Events that somebody caused."""
