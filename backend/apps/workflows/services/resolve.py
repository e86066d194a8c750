"""Settles a task whose outcome is in doubt: a person has looked whether it happened."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.workflows.decisions.control import decide_resolve
from backend.apps.workflows.definitions.json_values import check_json
from backend.apps.workflows.execution import reopening
from backend.apps.workflows.execution.advance import advance
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.services.control import allowed, locked, reopening_of
from backend.errors import Conflict, NotFound

Status = TaskExecution.Status
Outcome = Literal["done", "retry"]


def resolve_task(*, task_id: UUID, user: User, outcome: Outcome, result: Any = None) -> TaskExecution:  # noqa: ANN401
    """Settle a task that is in doubt, and let its step and its execution go on.

    outcome: `done`: it happened, and `result` (JSON) is what it would have answered; `retry`: it did not, do it again.
    Where another task of the same step is in doubt too, the step waits for that one.

    Raises Conflict where the task is not in doubt, its step still runs or its execution does not go on; InvalidInput
    for a result that is not JSON; NotFound where there is no such task.
    """
    check_json(result, where="result")
    with transaction.atomic():
        execution_id = _execution_of(task_id)
        execution = locked(execution_id, control="resolve") if execution_id is not None else None
        task = TaskExecution.objects.select_for_update(of=("self",)).select_related("step").get(pk=task_id)
        allowed(decide_resolve(status=task.status))
        if execution is None or task.step is None:
            _settle(task, outcome, result)
            if outcome == "retry":
                reopening.send_again(task)
        else:
            _settle_step(execution, task.step, task, user=user, outcome=outcome, result=result)
    task.refresh_from_db()
    return task


def _settle_step(
    execution: WorkflowExecution,
    step: StepExecution,
    task: TaskExecution,
    *,
    user: User,
    outcome: Outcome,
    result: Any,  # noqa: ANN401
) -> None:
    if step.status == StepExecution.Status.RUNNING:
        raise Conflict(
            f"Other items of the step {step.step_id!r} still run.", hint="Settle the task when they have ended."
        )
    _settle(task, outcome, result)
    history = History(execution.pk)
    history.add("task_resolved", step_id=step.step_id, task_id=task.pk, outcome=outcome, by=user.get_username())
    tasks = TaskExecution.objects.filter(step=step)
    if not tasks.filter(status=Status.IN_DOUBT).exists():
        reopening.reopen(execution, reopening_of(execution, step.step_id), history)
        advance(execution, history)
    history.write()


def _settle(task: TaskExecution, outcome: Outcome, result: Any) -> None:  # noqa: ANN401
    """Say of the task what is known now; one that did not happen has failed until its step is taken up again."""
    changes: dict[str, Any] = {"status": Status.FAILED}
    if outcome == "done":
        changes = {"status": Status.COMPLETED, "result": result, "error": None, "completed_at": timezone.now()}
    TaskExecution.objects.filter(pk=task.pk, status=Status.IN_DOUBT).update(**changes)


def _execution_of(task_id: UUID) -> UUID | None:
    found = TaskExecution.objects.filter(pk=task_id).values_list("execution_id", flat=True)
    if not found:
        raise NotFound(f"There is no task {str(task_id)!r}.", hint="A run's tasks: repomill show RUN --json")
    return found[0]
