"""A task that is handed back waits for another worker at once; the attempt that had it can write no more."""

from dataclasses import replace
from uuid import uuid4

import pytest
from django.utils import timezone

from backend.apps.workflows.definitions.check import read_definition
from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.claim import ClaimedTask, claim
from backend.apps.workflows.execution.hand_back import hand_back
from backend.apps.workflows.execution.interruption import WorkerStops
from backend.apps.workflows.execution.run import Parked, execute
from backend.apps.workflows.models import ExecutionEvent, TaskExecution
from backend.apps.workflows.services import cancel_execution, save_definition, start_execution
from tests.unit.workflows.test_admin import DEFINITION


def claimed_task(user) -> ClaimedTask:
    version = save_definition(read_definition(DEFINITION))
    task = start_execution(version=version, inputs={"word": "x"}, user=user).tasks.get()
    claimed = claim(task.pk, worker="first@h", now=timezone.now())
    assert isinstance(claimed, ClaimedTask)
    return claimed


def test_it_waits_for_another_worker_at_once(user, broker, django_capture_on_commit_callbacks) -> None:
    claimed = claimed_task(user)
    with django_capture_on_commit_callbacks(execute=True):
        assert hand_back(claimed)
    assert broker.sent[-1] == [claimed.id]
    row = TaskExecution.objects.get(pk=claimed.id)
    assert (row.status, row.lease_expires_at, row.retries) == ("pending", None, 0)
    event = ExecutionEvent.objects.filter(kind="task_handed_back").get()
    assert (event.task_id, event.data) == (claimed.id, {"method": "agents.call", "attempt": 1})
    # The first attempt comes too late with its result, and the next one knows that something may be there.
    assert not write_back.complete(claimed, {})
    again = claim(claimed.id, worker="second@h", now=timezone.now())
    assert isinstance(again, ClaimedTask)
    assert (again.attempt, again.took_over) == (2, True)


@pytest.mark.parametrize(
    "changes",
    [{"status": "completed"}, {"attempt": 2}, {"cancel_requested_at": timezone.now()}],
    ids=["written", "overtaken", "to be cancelled"],
)
def test_what_is_no_longer_its_own_is_left_alone(user, broker, changes) -> None:
    claimed = claimed_task(user)
    TaskExecution.objects.filter(pk=claimed.id).update(**changes)
    before = TaskExecution.objects.values().get(pk=claimed.id)
    assert not hand_back(claimed)
    assert TaskExecution.objects.values().get(pk=claimed.id) == before


def test_work_that_its_worker_interrupts_is_handed_back(user, broker) -> None:
    version = save_definition(read_definition(DEFINITION))
    task = start_execution(version=version, inputs={"word": "x"}, user=user).tasks.get()

    def service(_: ClaimedTask) -> None:
        raise WorkerStops

    outcome = execute(task.pk, service=service, worker="first@h")
    assert isinstance(outcome, Parked)
    assert TaskExecution.objects.get(pk=task.pk).status == "pending"


def test_work_that_was_cancelled_just_before_its_worker_interrupts_it_ends_at_once(user, broker) -> None:
    execution = start_execution(version=save_definition(read_definition(DEFINITION)), inputs={"word": "x"}, user=user)

    def service(_: ClaimedTask) -> None:
        cancel_execution(execution_id=execution.pk, user=user)
        raise WorkerStops

    assert execute(execution.tasks.get().pk, service=service, worker="first@h") == Parked("it was cancelled")
    execution.refresh_from_db()
    assert execution.status == "cancelled"


def test_a_task_on_its_own_has_no_history_to_write(user, broker) -> None:
    task = TaskExecution.objects.create(key=str(uuid4()), method="test.do", user=user, ready=True)
    claimed = claim(task.pk, worker="first@h", now=timezone.now())
    assert isinstance(claimed, ClaimedTask)
    assert not hand_back(replace(claimed, attempt=7))
    assert hand_back(claimed)
