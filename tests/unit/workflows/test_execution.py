"""An execution from its start to its end, with a broker that never fails."""

from datetime import timedelta

import pytest

from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.execution import advance
from backend.apps.workflows.execution.run import Completed, Failed, Parked, TryAgain
from backend.apps.workflows.models import ExecutionEvent, TaskExecution, WorkflowExecution
from backend.apps.workflows.services import save_definition, start_execution
from backend.errors import InDoubt, InvalidInput, PermissionRefused, RateLimited, RemoteRefused, RemoteUnreachable
from tests.unit.workflows.conftest import kinds, task_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_results_are_written_back_to_the_state_and_later_steps_read_them(start, runner):
    runner.service = lambda claimed: {"n": len(runner.calls), "got": claimed.arguments}
    execution = start(
        {"id": "a", "type": "one", "config": {"x": "${{ inputs.x }}"}},
        {"id": "b", "type": "three", "config": {"from_a": "${{ steps.a.result.n }}"}},
        inputs={"x": [1, 2]},
        outputs={"last": "${{ steps.b.result[2].n }}"},
    )
    runner.until_idle()

    execution.refresh_from_db()
    assert execution.status == "completed"
    assert execution.output_data == {"last": 4}
    assert execution.state["steps"]["a"] == {"status": "completed", "result": {"n": 1, "got": {"x": [1, 2]}}}
    assert [arguments for _, arguments in runner.calls[1:]] == [{"link": n, "from_a": 1} for n in range(3)]
    assert execution.completed_at is not None
    assert kinds(execution) == [
        "execution_started",
        "step_started",
        "task_completed",
        "step_completed",
        "step_started",
        "task_completed",
        "task_completed",
        "task_completed",
        "step_completed",
        "execution_completed",
    ]
    sequences = list(ExecutionEvent.objects.filter(execution=execution).values_list("sequence", flat=True))
    assert sequences == list(range(1, 11))


def test_a_step_is_published_as_one_chain_of_its_links(start, runner, broker):
    execution = start({"id": "a", "type": "three"})
    links = list(TaskExecution.objects.filter(execution=execution).order_by("position"))
    assert broker.sent == [[link.pk for link in links]]
    assert [link.ready for link in links] == [True, False, False]
    assert links[0].description == "test · a · test.do"


def test_a_link_is_not_claimed_before_the_one_before_it_has_finished(start, runner):
    execution = start({"id": "a", "type": "three"})
    assert isinstance(runner.do(task_of(execution, "a", 1).pk), Parked)
    assert runner.calls == []


def test_a_duplicate_delivery_does_the_work_once_and_lets_the_chain_go_on(start, runner):
    execution = start({"id": "a", "type": "three"})
    first = task_of(execution, "a").pk
    assert isinstance(runner.do(first), Completed)
    assert isinstance(runner.do(first), Completed)
    assert len(runner.calls) == 1


def test_independent_steps_start_together_and_a_condition_skips(start, runner, broker):
    execution = start(
        {"id": "a", "type": "one", "depends_on": []},
        {"id": "b", "type": "one", "depends_on": []},
        {"id": "c", "type": "one", "depends_on": ["a", "b"], "condition": "${{ inputs.go == true }}"},
        {"id": "d", "type": "one", "depends_on": ["c"]},
        inputs={"go": False},
    )
    assert len(broker.sent) == 2
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "completed"
    assert execution.state["steps"]["c"]["status"] == "skipped"
    assert execution.state["steps"]["c"]["error"]["code"] == "condition_false"
    assert execution.state["steps"]["d"]["status"] == "completed"


def test_a_refusal_fails_the_run_without_a_retry(start, runner):
    def refuse(claimed):
        raise RemoteRefused("remote: no pushes on Sunday")

    runner.service = refuse
    execution = start({"id": "a", "type": "three"}, {"id": "b", "type": "one"})
    outcome = runner.do(task_of(execution, "a").pk)

    assert outcome == Failed("remote_refused")
    execution.refresh_from_db()
    assert execution.status == "failed"
    assert execution.error == {
        "step": "a",
        "code": "remote_refused",
        "message": "remote: no pushes on Sunday",
        "retryable": False,
    }
    assert execution.state["steps"]["b"]["error"]["code"] == "dependency_failed"
    assert [task_of(execution, "a", n).status for n in range(3)] == ["failed", "cancelled", "cancelled"]
    assert "task_waits" not in kinds(execution)


def test_an_unreachable_host_is_tried_again_with_growing_pauses(start, runner, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.run.random.random", lambda: 0.0)
    monkeypatch.setattr("backend.apps.workflows.execution.claim.EARLY", timedelta(days=1))

    def unreachable(claimed):
        raise RemoteUnreachable("Connection refused")

    runner.service = unreachable
    execution = start({"id": "a", "type": "one", "max_retries": 3})
    task = task_of(execution, "a").pk
    outcomes = [runner.do(task) for _ in range(3)]
    assert outcomes == [TryAgain(2.0), TryAgain(4.0), TryAgain(8.0)]
    waits = execution.events.filter(kind="task_waits").order_by("sequence")
    assert [event.data["seconds"] for event in waits] == [2.0, 4.0, 8.0]

    runner.service = lambda claimed: {"attempt": claimed.attempt}
    assert isinstance(runner.do(task), Completed)
    execution.refresh_from_db()
    assert execution.status == "completed"
    assert execution.state["steps"]["a"]["result"] == {"attempt": 4}


def test_retries_run_out(start, runner, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.claim.EARLY", timedelta(days=1))

    def unreachable(claimed):
        raise RemoteUnreachable

    runner.service = unreachable
    execution = start({"id": "a", "type": "one", "max_retries": 1})
    task = task_of(execution, "a").pk
    assert isinstance(runner.do(task), TryAgain)
    assert runner.do(task) == Failed("remote_unreachable")
    assert "all 1 retries" in execution.events.get(kind="task_failed").data["why"]


def test_a_task_that_waits_is_not_claimed_early(start, runner):
    def unreachable(claimed):
        raise RemoteUnreachable(retry_after=60)

    runner.service = unreachable
    execution = start({"id": "a", "type": "one"})
    task = task_of(execution, "a").pk
    assert isinstance(runner.do(task), TryAgain)
    assert isinstance(runner.do(task), Parked)
    assert len(runner.calls) == 1


def test_a_long_wait_is_parked_in_the_database(start, runner):
    def limited(claimed):
        raise RateLimited(retry_after=7200)

    runner.service = limited
    execution = start({"id": "a", "type": "one"})
    outcome = runner.do(task_of(execution, "a").pk)
    assert outcome == Parked("rate_limited")
    task = task_of(execution, "a")
    assert task.status == "pending"
    assert task.retries == 0
    assert task.next_publish_at == task.not_before


def test_a_task_in_doubt_asks_a_person(start, runner):
    def doubtful(claimed):
        raise InDoubt

    runner.service = doubtful
    execution = start({"id": "a", "type": "one"})
    assert runner.do(task_of(execution, "a").pk) == Failed("in_doubt")
    assert task_of(execution, "a").status == "in_doubt"


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (ValueError("token=s3cret"), "internal_error", False),
        (OSError(28, "No space left on device"), "temporary_failure", True),
        (OSError(12, "Cannot allocate memory"), "temporary_failure", True),
        (OSError(116, "Stale file handle"), "temporary_failure", True),
        (FileNotFoundError(2, "No such file s3cret"), "internal_error", False),
        (TypeError("f() got an unexpected keyword argument 's3cret'"), "invalid_input", False),
    ],
)
def test_a_foreign_error_gets_a_meaning_and_loses_its_text(start, runner, caplog, error, code, retryable):
    def raises(claimed):
        raise error

    runner.service = raises
    execution = start({"id": "a", "type": "one"})
    outcome = runner.do(task_of(execution, "a").pk)
    task = task_of(execution, "a")
    assert task.error is not None
    assert task.error["code"] == code
    assert isinstance(outcome, TryAgain) is retryable
    assert "s3cret" not in str(task.error) + caplog.text


def test_a_result_that_is_not_json_is_an_error(start, runner):
    runner.service = lambda claimed: {"x": object()}
    execution = start({"id": "a", "type": "one"})
    assert runner.do(task_of(execution, "a").pk) == Failed("invalid_input")


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"id": "b", "type": "picky", "config": {"n": "${{ inputs.x }}"}}, "invalid_input"),
        ({"id": "b", "type": "one", "condition": "${{ inputs.x }}"}, "invalid_input"),
        ({"id": "b", "type": "one", "config": {"v": "${{ steps.a.result.missing }}"}}, "invalid_expression"),
    ],
)
def test_a_step_that_cannot_start_fails_with_the_place(start, runner, step, code):
    execution = start({"id": "a", "type": "one"}, step, inputs={"x": "text"})
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "failed"
    assert execution.error["code"] == code
    assert execution.error["path"].startswith("steps.b.")


def test_outputs_that_cannot_be_filled_in_fail_the_run(start, runner):
    execution = start({"id": "a", "type": "one"}, outputs={"x": "${{ steps.a.result.nothing }}"})
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "failed"
    assert execution.error["code"] == "invalid_expression"


def test_continue_on_error(start, runner):
    def fails_in_a(claimed):
        if claimed.step_id == "a":
            raise RemoteRefused
        return {}

    runner.service = fails_in_a
    execution = start({"id": "a", "type": "one", "continue_on_error": True}, {"id": "b", "type": "one"})
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "completed"
    assert execution.state["steps"]["a"]["status"] == "failed"


def test_a_run_fails_with_the_error_of_a_step_whose_failure_it_does_not_tolerate(start, runner):
    def fails(claimed):
        raise RemoteRefused(f"{claimed.step_id} was refused.")

    runner.service = fails
    execution = start(
        {"id": "a", "type": "one", "continue_on_error": True},
        {"id": "zz", "type": "one"},
        {"id": "b", "type": "one", "depends_on": ["a"]},
    )
    runner.until_idle()
    execution.refresh_from_db()
    assert (execution.status, execution.error["step"]) == ("failed", "zz")
    assert execution.error["message"] == "zz was refused."


def test_results_that_are_too_large_together_fail_the_step_that_brings_them(start, runner, monkeypatch):
    monkeypatch.setattr(advance, "LARGEST_STATE", 10_000)
    runner.service = lambda claimed: "x" * (4_000 if claimed.step_id < "c" else 3)
    execution = start(*({"id": name, "type": "one", "depends_on": []} for name in "abcd"))
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "completed"

    runner.service = lambda claimed: "x" * 4_000
    execution = start(*({"id": name, "type": "one"} for name in "abcd"))
    runner.until_idle()
    execution.refresh_from_db()
    assert {name: step["status"] for name, step in execution.state["steps"].items()} == {
        "a": "completed",
        "b": "completed",
        "c": "failed",
        "d": "skipped",
    }
    assert (execution.status, execution.error["step"]) == ("failed", "c")
    assert execution.error["code"] == "invalid_input"
    # Tried once, and what was done is not done again.
    assert [step for step, _ in runner.calls[4:]] == ["a", "b", "c"]


def test_inputs_are_checked_and_completed_before_anything_is_recorded(user, broker):
    definition = check_definition(
        {
            "name": "test",
            "inputs": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "n": {"type": "integer", "default": 5}},
            },
            "steps": [{"id": "a", "type": "one", "config": {"n": "${{ inputs.n }}"}}],
        }
    )
    version = save_definition(definition)
    assert save_definition(definition).pk == version.pk
    with pytest.raises(InvalidInput) as raised:
        start_execution(version=version, inputs={"name": 3}, user=user)
    assert raised.value.place["field"] == "inputs.name"
    assert WorkflowExecution.objects.count() == 0
    execution = start_execution(version=version, inputs={"name": "x"}, user=user)
    assert execution.input_data == {"name": "x", "n": 5}
    user.is_active = False
    with pytest.raises(PermissionRefused):
        start_execution(version=version, inputs={"name": "x"}, user=user)
