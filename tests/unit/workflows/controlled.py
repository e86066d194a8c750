"""What the tests of controls share: claiming a task by hand, services that fail, and what has become of it all."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from backend.apps.workflows.execution.claim import ClaimedTask, claim
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.selectors import find_execution
from backend.errors import InDoubt, RemoteRefused

ONE = {"id": "a", "type": "one"}
TWO = {"id": "b", "type": "one"}
LATER = timedelta(hours=1)
EACH = {"id": "a", "type": "one", "each": "${{ inputs.list }}", "max_parallel": 2, "config": {"n": "${{ item }}"}}


def claimed(execution, step: str, position: int = 0, item: int = 0) -> ClaimedTask:
    task = TaskExecution.objects.get(execution=execution, step__step_id=step, position=position, item=item)
    found = claim(task.pk, worker="w1", now=timezone.now())
    assert isinstance(found, ClaimedTask)
    return found


def statuses(execution) -> dict[str, str]:
    return dict(StepExecution.objects.filter(execution=execution).values_list("step_id", "status"))


def tasks(execution, step: str) -> list[str]:
    found = TaskExecution.objects.filter(execution=execution, step__step_id=step)
    return list(found.order_by("item", "position").values_list("status", flat=True))


def refuse(claimed_task):
    raise RemoteRefused("no")


def doubt(claimed_task):
    raise InDoubt


def again(execution) -> WorkflowExecution:
    return find_execution(str(execution.pk))
