"""One step of a run: its tasks with their attempts, what it yielded or why it failed, and its log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from backend.apps.workflows import run_selectors
from backend.apps.workflows.access import get_execution, get_task
from backend.apps.workflows.decisions.control import decide_cancel_step, decide_retry_step
from backend.apps.workflows.execution.cancelling import is_stopping
from backend.apps.workflows.models import StepExecution, TaskExecution
from backend.apps.workflows.selectors import item_counts
from backend.apps.workflows.services.control import step_of
from backend.console.pages import is_partial, page, user_of
from backend.console.shown.links import in_flower
from backend.console.shown.values import pretty
from backend.console.views.run import _head, _log, definition_of
from backend.errors import NotFound

LAST_POSITION = 10**6
"""Behind every link of an item."""


@page
def step(request: HttpRequest, execution_id: UUID, step_id: str) -> HttpResponseBase:
    """Show a step; to htmx the part of it that changes."""
    user = user_of(request)
    execution = get_execution(user=user, execution_id=execution_id)
    found = step_of(execution, step_id)
    described = definition_of(execution).step(step_id)
    tasks = run_selectors.tasks_to_show(execution, step=step_id, after=_place(request))
    head = _head(user, execution, tab="run")
    doubtful = any(task.status == TaskExecution.Status.IN_DOUBT for task in tasks)
    context: dict[str, Any] = head | {
        "step": found,
        "described": described,
        "config": pretty(described.config),
        "result": pretty(found.result),
        "tasks": [{"row": task, "flower": in_flower(task.pk), "status": _standing(task)} for task in tasks],
        "more_tasks": f"{tasks[-1].item}-{tasks[-1].position}" if len(tasks) == run_selectors.MOST_TASKS else "",
        "counts": item_counts(execution, steps=[step_id]) if described.each else [],
        "may_retry": _may(head, "retry_step")
        and decide_retry_step(step_id, status=found.status, in_doubt=doubtful) is None,
        "may_cancel": _may(head, "cancel_step") and _can_be_cancelled(found),
        "may_settle": _may(head, "resolve"),
    }
    if is_partial(request):
        return render(request, "console/runs/step_board.html", context)
    return render(request, "console/runs/step.html", context | _log(request, execution_id, step=step_id))


@page
def task(request: HttpRequest, task_id: UUID) -> HttpResponseBase:
    """Lead to a task in its step; one that belongs to no run, to its row in the admin, for who may look there.

    Raises NotFound for anybody else: it is shown nowhere in the console.
    """
    user = user_of(request)
    found = get_task(user=user, task_id=task_id)
    if found.step is None:
        if not (user.is_staff and user.has_perm("workflows.view_taskexecution")):
            raise NotFound(
                "The task belongs to no run, and has no page.", hint=f"Read it at {reverse('task', args=[task_id])}."
            )
        return HttpResponseRedirect(reverse("admin:workflows_taskexecution_change", args=[task_id]))
    address = reverse("console:step", args=[found.execution_id, found.step.step_id])
    if run_selectors.place_of(found) >= run_selectors.MOST_TASKS:
        # Further down than the step's first page goes: that page is led to which begins with its item.
        address += f"?after={found.item - 1}-{LAST_POSITION}"
    return HttpResponseRedirect(f"{address}#t{task_id}")


def _can_be_cancelled(step: StepExecution) -> bool:
    return decide_cancel_step(step.step_id, status=step.status, stopping=is_stopping(step)) is None


def _may(head: dict[str, Any], control: str) -> bool:
    return control in head["controls"]


def _standing(task: TaskExecution) -> str:
    parked = task.status == TaskExecution.Status.PENDING and task.not_before is not None
    return "waiting" if parked else task.status


def _place(request: HttpRequest) -> tuple[int, int] | None:
    """Return the item and link of the last task that the page before has shown."""
    item, _, position = request.GET.get("after", "").partition("-")
    if all(part.isascii() and part.isdigit() and len(part) <= 9 for part in (item, position)):
        return int(item), int(position)
    return None
