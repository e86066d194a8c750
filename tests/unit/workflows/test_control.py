"""Pausing, resuming, cancelling, retrying and settling, with a broker that never fails."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from backend.apps.workflows import services
from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.claim import ClaimedTask, NotClaimed, claim
from backend.apps.workflows.execution.interruption import Interrupted, Uninterruptible
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.execution.run import Completed, Failed, Parked, TryAgain, execute
from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.selectors import find_execution, standing_word
from backend.errors import Conflict, InDoubt, InvalidInput, NotFound, RemoteRefused, RemoteUnreachable
from tests.unit.workflows.conftest import kinds, task_of

pytestmark = pytest.mark.django_db(transaction=True)

ONE = {"id": "a", "type": "one"}
TWO = {"id": "b", "type": "one"}
LATER = timedelta(hours=1)


@pytest.fixture
def act(user):
    """Does one control to an execution, for the user."""

    def do(control: str, execution, **more):
        return getattr(services, control)(execution_id=execution.pk, user=user, **more)

    return do


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


# ---------------------------------------------------------------- every control in every state


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


# ---------------------------------------------------------------- pause and resume


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


# ---------------------------------------------------------------- cancel


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


EACH = {"id": "a", "type": "one", "each": "${{ inputs.list }}", "max_parallel": 2, "config": {"n": "${{ item }}"}}


def test_the_items_of_a_repeated_step_are_cancelled_together(start, act):
    execution = start(EACH, inputs={"list": [1, 2, 3, 4]})
    first, second = claimed(execution, "a", item=0), claimed(execution, "a", item=1)
    act("cancel_execution", execution)
    assert write_back.complete(first, {})
    assert statuses(execution) == {"a": "running"}
    assert write_back.stop(second)
    assert tasks(execution, "a") == ["completed", "cancelled", "cancelled", "cancelled"]
    assert again(execution).status == "cancelled"


# ---------------------------------------------------------------- resume and retry after a failure


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


# ---------------------------------------------------------------- rerun


def test_a_rerun_is_a_new_execution_of_the_same_version(start, runner, act):
    execution = start(ONE, inputs={"x": 1, "y": 2})
    runner.until_idle()
    second = act("rerun_execution", execution, inputs={"y": 3})
    assert second.pk != execution.pk
    assert second.version_id == execution.version_id
    assert second.input_data == {"x": 1, "y": 3}
    assert second.events.get(kind="execution_started").data["rerun_of"] == str(execution.pk)
    assert again(execution).input_data == {"x": 1, "y": 2}


# ---------------------------------------------------------------- settling what is in doubt


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
