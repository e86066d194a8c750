"""Settling what is in doubt: nothing is repeated blindly, and a step waits for all its doubts."""

from __future__ import annotations

from uuid import uuid4

import pytest

from backend.apps.workflows import services
from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.run import Completed
from backend.apps.workflows.models import WorkflowExecution
from backend.errors import Conflict, InDoubt, InvalidInput, NotFound
from tests.unit.workflows.conftest import task_of
from tests.unit.workflows.controlled import EACH, ONE, TWO, again, claimed, doubt, statuses, tasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def doubtful(start, runner):
    """An execution whose second link of three is in doubt."""
    runner.service = lambda c: doubt(c) if c.position == 1 else {"n": c.position}
    execution = start({"id": "a", "type": "three"}, TWO)
    runner.until_idle()
    runner.service = lambda c: {"n": c.position}
    assert tasks(execution, "a") == ["completed", "in_doubt", "cancelled"]
    return execution


@pytest.mark.parametrize("control", ["resume_execution", "retry_step"])
def test_what_is_in_doubt_is_not_blindly_repeated(doubtful, act, control):
    with pytest.raises(Conflict) as raised:
        act(control, doubtful, **({"step_id": "a"} if control == "retry_step" else {}))
    assert "repomill resolve" in (raised.value.hint or "")
    assert again(doubtful).status == "failed"


def test_what_was_done_gets_its_result_and_the_chain_goes_on(doubtful, runner, user):
    settled = services.resolve_task(task_id=task_of(doubtful, "a", 1).pk, user=user, outcome="done", result={"id": 7})
    assert settled.status == "completed"
    calls = len(runner.calls)
    runner.until_idle()
    execution = again(doubtful)
    assert execution.status == "completed"
    assert execution.state["steps"]["a"]["result"] == [{"n": 0}, {"id": 7}, {"n": 2}]
    assert [arguments.get("link") for _, arguments in runner.calls[calls:]] == [2, None]
    assert execution.events.get(kind="task_resolved").data == {"outcome": "done", "by": "worker-bee"}


def test_what_was_not_done_is_done_again(doubtful, runner, user):
    settled = services.resolve_task(task_id=task_of(doubtful, "a", 1).pk, user=user, outcome="retry")
    assert settled.status == "pending"
    runner.until_idle()
    execution = again(doubtful)
    assert execution.status == "completed"
    assert task_of(execution, "a", 1).attempt == 2


def test_the_last_link_settled_as_done_completes_its_step(start, runner, user):
    runner.service = doubt
    execution = start(ONE, TWO)
    runner.until_idle()
    runner.service = lambda c: {}
    services.resolve_task(task_id=task_of(execution, "a").pk, user=user, outcome="done")
    assert statuses(execution) == {"a": "completed", "b": "running"}
    runner.until_idle()
    assert again(execution).status == "completed"


@pytest.mark.parametrize("outcome", ["done", "retry"])
def test_a_step_waits_until_all_its_doubts_are_settled(start, runner, user, outcome):
    runner.service = doubt
    execution = start({**EACH, "max_parallel": 2}, inputs={"list": [1, 2]})
    first, second = claimed(execution, "a", item=0), claimed(execution, "a", item=1)
    write_back.fail(first, InDoubt(), why="")
    with pytest.raises(Conflict, match="still run"):
        services.resolve_task(task_id=first.id, user=user, outcome="done")
    write_back.fail(second, InDoubt(), why="")
    services.resolve_task(task_id=first.id, user=user, outcome=outcome)
    assert again(execution).status == "failed"
    services.resolve_task(task_id=second.id, user=user, outcome="done", result=2)
    runner.service = lambda c: 1
    runner.until_idle()
    execution = again(execution)
    assert execution.status == "completed"
    assert execution.state["steps"]["a"]["result"] == ([None, 2] if outcome == "done" else [1, 2])


@pytest.mark.parametrize(("outcome", "status"), [("done", "completed"), ("retry", "pending")])
def test_a_task_without_an_execution_is_settled(user, runner, broker, outcome, status):
    task = services.enqueue_method(method="generation.cleanup", arguments={}, key="k", user=user)
    runner.service = doubt
    runner.until_idle()
    settled = services.resolve_task(task_id=task.pk, user=user, outcome=outcome, result=[1])
    assert settled.status == status
    assert len(broker.chains) == (1 if outcome == "retry" else 0)
    runner.service = lambda c: [2]
    if outcome == "retry":
        assert isinstance(runner.do(task.pk), Completed)
    task.refresh_from_db()
    assert task.result == ([1] if outcome == "done" else [2])


def test_what_cannot_be_settled(start, runner, act, user, doubtful):
    task = task_of(doubtful, "a", 1).pk
    with pytest.raises(InvalidInput):
        services.resolve_task(task_id=task, user=user, outcome="done", result={"x": float("nan")})
    with pytest.raises(NotFound):
        services.resolve_task(task_id=uuid4(), user=user, outcome="done")
    with pytest.raises(Conflict, match="completed; only one in doubt"):
        services.resolve_task(task_id=task_of(doubtful, "a", 0).pk, user=user, outcome="done")
    WorkflowExecution.objects.update(status="cancelled")
    with pytest.raises(Conflict, match="cancelled"):
        services.resolve_task(task_id=task, user=user, outcome="done")
