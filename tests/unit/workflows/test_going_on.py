"""Resuming and retrying after a failure, with all that there was, and running the same again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.run import Failed, TryAgain
from backend.apps.workflows.models import TaskExecution
from backend.errors import RemoteUnreachable
from tests.unit.workflows.conftest import task_of
from tests.unit.workflows.controlled import EACH, ONE, TWO, again, claimed, refuse, statuses, tasks

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_failed_execution_goes_on_at_its_failed_step_with_all_it_had(start, runner, act, broker):
    runner.service = lambda c: refuse(c) if c.position == 1 else {"n": c.position}
    execution = start(ONE, {"id": "b", "type": "three"}, {"id": "c", "type": "one"})
    runner.until_idle()
    assert statuses(execution) == {"a": "completed", "b": "failed", "c": "skipped"}
    calls = len(runner.calls)
    runner.service = lambda c: {"now": c.position}
    act("resume_execution", execution)
    assert [len(chain) for chain in broker.chains] == [2]
    assert again(execution).status == "running"
    assert again(execution).state["steps"].keys() == {"a", "b"}

    runner.until_idle()
    execution = again(execution)
    assert execution.status == "completed"
    assert (execution.retry_count, execution.error) == (1, None)
    assert execution.state["steps"]["b"]["result"] == [{"n": 0}, {"now": 1}, {"now": 2}]
    assert [step for step, _ in runner.calls[calls:]] == ["b", "b", "c"]
    resumed = execution.events.get(kind="execution_resumed")
    assert resumed.data == {"by": "worker-bee", "steps": ["b"]}
    again_done = execution.events.filter(kind="task_completed", step_id="b").order_by("sequence")[1]
    assert again_done.data["attempt"] == 2
    assert again_done.data["took_over"] is False


def test_a_step_that_could_not_start_starts_again(start, runner, act):
    execution = start(
        ONE, {"id": "b", "type": "picky", "config": {"n": "${{ steps.a.result.n }}"}}, {"id": "c", "type": "one"}
    )
    runner.service = lambda c: {"n": "no number"}
    runner.until_idle()
    assert again(execution).status == "failed"
    act("resume_execution", execution)
    # It fails for the same reason, in the ordinary way.
    assert statuses(execution) == {"a": "completed", "b": "failed", "c": "skipped"}
    assert again(execution).retry_count == 1


def test_used_up_retries_begin_anew(start, runner, act, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.claim.EARLY", timedelta(days=1))

    def unreachable(claimed_task):
        raise RemoteUnreachable

    runner.service = unreachable
    execution = start({**ONE, "max_retries": 1})
    task = task_of(execution, "a").pk
    assert isinstance(runner.do(task), TryAgain)
    assert isinstance(runner.do(task), Failed)
    act("resume_execution", execution)
    assert isinstance(runner.do(task), TryAgain)
    assert task_of(execution, "a").retries == 1
    assert task_of(execution, "a").attempt == 3


def test_only_the_retried_one_of_two_failed_steps_runs_again(start, runner, act):
    runner.service = refuse
    execution = start({**ONE, "depends_on": []}, {**TWO, "depends_on": []})
    runner.until_idle()
    runner.service = lambda c: {}
    act("retry_step", execution, step_id="a")
    runner.until_idle()
    assert statuses(execution) == {"a": "completed", "b": "failed"}
    assert again(execution).status == "failed"
    act("resume_execution", execution)
    runner.until_idle()
    assert again(execution).status == "completed"


def test_a_failed_step_is_retried_while_others_run(start, runner, act):
    execution = start({**ONE, "depends_on": []}, {**TWO, "depends_on": []})
    running = claimed(execution, "b")
    runner.service = refuse
    runner.do(task_of(execution, "a").pk)
    runner.service = lambda c: {}
    act("retry_step", execution, step_id="a")
    runner.until_idle()
    write_back.complete(running, {})
    execution = again(execution)
    assert (execution.status, execution.retry_count) == ("completed", 0)


def test_the_failed_and_the_unstarted_items_of_a_repeated_step_are_done(start, runner, act):
    runner.service = lambda c: refuse(c) if c.arguments["n"] == 2 else {"did": c.arguments["n"]}
    execution = start(EACH, inputs={"list": [1, 2, 3, 4, 5]})
    runner.until_idle()
    assert again(execution).status == "failed"
    done = tasks(execution, "a").count("completed")
    calls = len(runner.calls)
    runner.service = lambda c: {"did": c.arguments["n"]}
    act("resume_execution", execution)
    ready = TaskExecution.objects.filter(execution=execution, status="pending", ready=True).count()
    assert ready == min(2, 5 - done)
    runner.until_idle()
    execution = again(execution)
    assert execution.status == "completed"
    assert execution.state["steps"]["a"]["result"] == [{"did": n} for n in (1, 2, 3, 4, 5)]
    assert len(runner.calls) - calls == 5 - done


def test_a_rerun_is_a_new_execution_of_the_same_version(start, runner, act):
    execution = start(ONE, inputs={"x": 1, "y": 2})
    runner.until_idle()
    second = act("rerun_execution", execution, inputs={"y": 3})
    assert second.pk != execution.pk
    assert second.version_id == execution.version_id
    assert second.input_data == {"x": 1, "y": 3}
    assert second.events.get(kind="execution_started").data["rerun_of"] == str(execution.pk)
    assert again(execution).input_data == {"x": 1, "y": 2}
