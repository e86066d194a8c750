"""Every control in every state, pauses, and a history without gaps, with a broker that never fails."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from backend.apps.workflows import services
from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.execution.run import Parked, TryAgain
from backend.apps.workflows.models import ExecutionEvent, WorkflowExecution
from backend.apps.workflows.selectors import standing_word
from backend.errors import Conflict, NotFound, RemoteUnreachable
from tests.unit.workflows.conftest import kinds, task_of
from tests.unit.workflows.controlled import LATER, ONE, TWO, again, claimed, refuse, statuses, tasks

pytestmark = pytest.mark.django_db(transaction=True)


def brought_to(standing: str, start, runner, act) -> WorkflowExecution:
    """Return an execution that stands so, with its step `a` in the state that belongs to it."""
    execution = start(ONE, TWO)
    if standing in {"completed", "failed"}:
        runner.service = refuse if standing == "failed" else runner.service
        runner.until_idle()
    elif standing == "paused":
        act("pause_execution", execution)
    elif standing == "cancelling":
        claimed(execution, "a")
        act("cancel_execution", execution)
    elif standing == "cancelled":
        act("cancel_execution", execution)
    assert standing_word(again(execution)) == standing
    return again(execution)


ALLOWED = {
    "pause_execution": {"running"},
    "resume_execution": {"paused", "failed"},
    "cancel_execution": {"running", "paused"},
    "cancel_step": {"running", "paused"},
    "retry_step": {"failed"},
    "rerun_execution": {"running", "paused", "cancelling", "completed", "failed", "cancelled"},
}


@pytest.mark.parametrize("control", ALLOWED)
@pytest.mark.parametrize("standing", ["running", "paused", "cancelling", "completed", "failed", "cancelled"])
def test_each_control_in_each_state(start, runner, act, control, standing):
    execution = brought_to(standing, start, runner, act)
    step = {"step_id": "a"} if control.endswith("_step") else {}
    before = (kinds(execution), statuses(execution), execution.status)
    if standing in ALLOWED[control]:
        act(control, execution, **step)
        return
    with pytest.raises(Conflict) as raised:
        act(control, execution, **step)
    assert raised.value.message
    execution = again(execution)
    assert (kinds(execution), statuses(execution), execution.status) == before


@pytest.mark.parametrize("control", ["pause_execution", "cancel_execution", "resume_execution", "rerun_execution"])
def test_an_unknown_execution(user, control):
    with pytest.raises(NotFound):
        getattr(services, control)(execution_id=uuid4(), user=user)


@pytest.mark.parametrize("control", ["cancel_step", "retry_step"])
def test_an_unknown_step_names_those_there_are(start, act, control):
    with pytest.raises(NotFound) as raised:
        act(control, start(ONE), step_id="zz")
    assert raised.value.place["expected"] == "one of a"


def test_while_paused_nothing_begins_and_what_runs_is_written_back(start, runner, act, broker):
    execution = start({"id": "a", "type": "three"}, TWO)
    running = claimed(execution, "a")
    paused = act("pause_execution", execution)
    assert paused.paused_at is not None

    assert write_back.complete(running, {"n": 0})
    assert tasks(execution, "a") == ["completed", "pending", "pending"]
    assert isinstance(runner.do(task_of(execution, "a", 1).pk), Parked)
    broker.chains.clear()
    assert reconcile(now=timezone.now() + LATER).republished == 0
    assert runner.calls == []

    act("resume_execution", execution)
    assert [len(chain) for chain in broker.chains] == [2]
    runner.until_idle()
    execution.refresh_from_db()
    assert (execution.status, execution.paused_at) == ("completed", None)
    assert execution.state["steps"]["a"]["result"][0] == {"n": 0}
    assert ("execution_paused", "worker-bee") in [(e.kind, e.data.get("by")) for e in execution.events.all()]


def test_no_step_starts_while_paused(start, runner, act, broker):
    execution = start(ONE, TWO)
    running = claimed(execution, "a")
    act("pause_execution", execution)
    write_back.complete(running, {})
    assert statuses(execution) == {"a": "completed", "b": "pending"}
    act("resume_execution", execution)
    assert statuses(execution)["b"] == "running"


def test_an_execution_whose_last_task_ends_while_it_is_paused_has_completed(start, act):
    execution = start(ONE)
    running = claimed(execution, "a")
    act("pause_execution", execution)
    write_back.complete(running, {})
    execution.refresh_from_db()
    assert (execution.status, execution.paused_at) == ("completed", None)


def test_a_wait_that_a_host_asked_for_goes_on_after_a_pause(start, runner, act, broker):
    def unreachable(claimed_task):
        raise RemoteUnreachable(retry_after=200)

    runner.service = unreachable
    execution = start(ONE)
    assert isinstance(runner.do(task_of(execution, "a").pk), TryAgain)
    act("pause_execution", execution)
    broker.sent.clear()
    act("resume_execution", execution)
    assert broker.sent == []
    assert reconcile(now=timezone.now() + timedelta(seconds=300)).republished == 1


def test_the_history_has_no_gaps_whatever_is_done(start, runner, act):
    runner.service = refuse
    execution = start(ONE, TWO)
    act("pause_execution", execution)
    act("resume_execution", execution)
    runner.until_idle()
    act("retry_step", execution, step_id="a")
    act("cancel_execution", execution)
    numbers = list(ExecutionEvent.objects.filter(execution=execution).values_list("sequence", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
