"""Cancelling executions and steps: what waits ends at once, what runs is interrupted, what ended first stays."""

from __future__ import annotations

import threading

import pytest
from django.utils import timezone

from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.claim import NotClaimed, claim
from backend.apps.workflows.execution.interruption import Interrupted, Uninterruptible
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.execution.run import Parked, execute
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.selectors import standing_word
from backend.errors import Conflict, InDoubt, RemoteRefused, RemoteUnreachable
from tests.unit.workflows.conftest import kinds, task_of
from tests.unit.workflows.controlled import EACH, LATER, ONE, TWO, again, claimed, statuses, tasks

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_waits_is_cancelled_at_once(start, runner, act, user):
    execution = start({"id": "a", "type": "three"}, TWO)
    cancelled = act("cancel_execution", execution)
    assert cancelled.status == "cancelled"
    assert statuses(execution) == {"a": "cancelled", "b": "cancelled"}
    assert tasks(execution, "a") == ["cancelled"] * 3
    execution.refresh_from_db()
    assert execution.error == {"code": "cancelled", "message": "Cancelled by worker-bee.", "retryable": False}
    assert execution.state["steps"]["a"]["status"] == "cancelled"
    assert execution.completed_at is not None
    runner.until_idle()
    assert runner.calls == []
    assert kinds(execution)[-4:] == ["execution_cancelling", "step_cancelled", "step_cancelled", "execution_cancelled"]


@pytest.fixture
def quick(monkeypatch):
    """Heartbeats that beat every few milliseconds."""
    monkeypatch.setattr("backend.apps.workflows.execution.heartbeat.LONGEST_PAUSE", 0.005)


@pytest.mark.usefixtures("quick")
def test_running_work_is_interrupted_and_ends_as_cancelled(start, runner, act):
    asked = threading.Event()

    class ByEvent(Uninterruptible):
        def interrupt(self) -> None:
            asked.set()

    def work(claimed_task):
        found = act("cancel_execution", execution)
        assert (found.status, standing_word(found)) == ("running", "cancelling")
        assert asked.wait(10)
        raise Interrupted

    execution = start({"id": "a", "type": "three"}, TWO)
    outcome = execute(task_of(execution, "a").pk, service=work, worker="w1", interruption=ByEvent())
    assert outcome == Parked("it was cancelled")
    execution = again(execution)
    assert execution.status == "cancelled"
    assert execution.cancel_requested_at is None
    assert tasks(execution, "a") == ["cancelled"] * 3
    assert "may be there" in str(task_of(execution, "a").error)
    assert kinds(execution)[-3:] == ["task_cancelled", "step_cancelled", "execution_cancelled"]


def test_an_overtaken_attempt_is_interrupted_and_writes_nothing(start, runner):
    def work(claimed_task):
        TaskExecution.objects.update(attempt=9)
        raise Interrupted

    execution = start(ONE)
    outcome = execute(task_of(execution, "a").pk, service=work, worker="w1")
    assert outcome == Parked("the attempt has been overtaken")
    assert task_of(execution, "a").status == "running"


@pytest.mark.parametrize(
    ("ends", "task", "step"),
    [
        (lambda c: write_back.complete(c, {"n": 1}), "completed", "completed"),
        (lambda c: write_back.fail(c, RemoteRefused("no"), why=""), "failed", "failed"),
        (lambda c: write_back.fail(c, InDoubt(), why=""), "in_doubt", "failed"),
        (write_back.stop, "cancelled", "cancelled"),
    ],
)
def test_what_ends_before_it_notices_is_recorded_as_it_was(start, act, ends, task, step):
    execution = start(ONE, TWO)
    running = claimed(execution, "a")
    act("cancel_execution", execution)
    assert ends(running)
    assert tasks(execution, "a") == [task]
    assert statuses(execution) == {"a": step, "b": "cancelled"}
    execution = again(execution)
    assert execution.status == "cancelled"
    assert (execution.state["steps"]["a"].get("error") is None) == (step == "completed")


def test_a_link_that_completes_does_not_complete_a_cancelled_chain(start, act):
    execution = start({"id": "a", "type": "three"})
    running = claimed(execution, "a")
    act("cancel_execution", execution)
    assert write_back.complete(running, {})
    assert tasks(execution, "a") == ["completed", "cancelled", "cancelled"]
    assert statuses(execution) == {"a": "cancelled"}
    assert again(execution).status == "cancelled"


def test_a_failure_that_would_be_tried_again_ends_as_cancelled(start, runner, act):
    def unreachable(claimed_task):
        act("cancel_execution", execution)
        raise RemoteUnreachable

    runner.service = unreachable
    execution = start(ONE)
    runner.do(task_of(execution, "a").pk)
    assert tasks(execution, "a") == ["cancelled"]
    assert again(execution).status == "cancelled"


def test_a_zombie_does_not_cancel(start, act):
    execution = start(ONE)
    running = claimed(execution, "a")
    TaskExecution.objects.update(attempt=5)
    assert write_back.stop(running) is False
    assert task_of(execution, "a").status == "running"


def test_a_cancelled_task_whose_worker_is_lost_is_ended_by_the_reconciler(start, act, broker):
    execution = start(ONE, TWO)
    claimed(execution, "a")
    act("cancel_execution", execution)
    assert isinstance(claim(task_of(execution, "a").pk, worker="w2", now=timezone.now() + LATER), NotClaimed)
    broker.sent.clear()
    report = reconcile(now=timezone.now() + LATER)
    assert (report.taken_back, report.republished) == (1, 0)
    assert broker.sent == []
    assert again(execution).status == "cancelled"
    assert "lease_expired" in kinds(execution)


def test_a_step_is_cancelled_and_what_depends_on_it_skipped(start, runner, act):
    execution = start(
        {"id": "a", "type": "one", "depends_on": []},
        {"id": "b", "type": "one", "depends_on": ["a"]},
        {"id": "c", "type": "one", "depends_on": []},
    )
    running = claimed(execution, "a")
    act("cancel_step", execution, step_id="a")
    with pytest.raises(Conflict, match="already"):
        act("cancel_step", execution, step_id="a")
    assert write_back.stop(running)
    assert statuses(execution) == {"a": "cancelled", "b": "skipped", "c": "running"}
    runner.until_idle()
    execution = again(execution)
    assert execution.status == "failed"
    assert (execution.error or {})["message"] == "Cancelled by worker-bee."

    act("retry_step", execution, step_id="a")
    runner.until_idle()
    assert again(execution).status == "completed"


def test_a_step_that_waits_for_its_turn_is_cancelled_and_tolerated(start, runner, act):
    execution = start(ONE, {**TWO, "continue_on_error": True}, {"id": "c", "type": "one"})
    act("cancel_step", execution, step_id="b")
    runner.until_idle()
    execution = again(execution)
    assert execution.status == "completed"
    assert statuses(execution) == {"a": "completed", "b": "cancelled", "c": "completed"}


def test_the_items_of_a_repeated_step_are_cancelled_together(start, act):
    execution = start(EACH, inputs={"list": [1, 2, 3, 4]})
    first, second = claimed(execution, "a", item=0), claimed(execution, "a", item=1)
    act("cancel_execution", execution)
    assert write_back.complete(first, {})
    assert statuses(execution) == {"a": "running"}
    assert write_back.stop(second)
    assert tasks(execution, "a") == ["completed", "cancelled", "cancelled", "cancelled"]
    assert again(execution).status == "cancelled"
