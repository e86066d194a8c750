"""What may be done to an execution as it stands: the whole table."""

import pytest

from backend.apps.workflows.decisions.control import (
    CONTROLS,
    Refusal,
    Reopening,
    decide_cancel_step,
    decide_reopening,
    decide_resolve,
    decide_resume,
    decide_retry_step,
    refusal,
    standing,
)
from backend.apps.workflows.decisions.graph import StepState
from backend.apps.workflows.definitions.definition import from_data

STANDINGS = ("pending", "running", "paused", "cancelling", "completed", "failed", "cancelled")
ALLOWED = {
    "pause": {"pending", "running"},
    "resume": {"paused", "failed"},
    "cancel": {"pending", "running", "paused"},
    "cancel_step": {"pending", "running", "paused"},
    "retry_step": {"pending", "running", "paused", "failed"},
    "resolve": {"pending", "running", "paused", "failed"},
    "rerun": set(STANDINGS),
}


def test_the_table_is_whole():
    assert set(CONTROLS) == set(ALLOWED)
    assert {word for refusals in CONTROLS.values() for word in refusals} <= set(STANDINGS)


@pytest.mark.parametrize("control", ALLOWED)
@pytest.mark.parametrize("word", STANDINGS)
def test_each_control_in_each_standing(control, word):
    found = refusal(control, word)
    assert (found is None) == (word in ALLOWED[control])
    if found is not None:
        assert found.reason.startswith("The execution ")
        assert found.reason.endswith(".")


@pytest.mark.parametrize(
    ("status", "paused", "cancelling", "word"),
    [
        ("running", False, False, "running"),
        ("running", True, False, "paused"),
        ("running", False, True, "cancelling"),
        ("running", True, True, "cancelling"),
        ("failed", True, False, "failed"),
        ("completed", False, False, "completed"),
    ],
)
def test_the_standing_in_one_word(status, paused, cancelling, word):
    assert standing(status=status, paused=paused, cancelling=cancelling) == word


STEP_STATUSES = ("pending", "running", "completed", "failed", "skipped", "cancelled")


@pytest.mark.parametrize("status", STEP_STATUSES)
def test_which_steps_can_be_cancelled_and_retried(status):
    cancel = decide_cancel_step("a", status=status, stopping=False)
    assert (cancel is None) == (status in {"pending", "running"})
    retry = decide_retry_step("a", status=status, in_doubt=False)
    assert (retry is None) == (status in {"failed", "cancelled"})
    for found in (cancel, retry):
        assert found is None or status in found.reason


def test_what_is_in_doubt_or_stopping_says_so():
    doubtful = decide_retry_step("a", status="failed", in_doubt=True)
    assert doubtful is not None
    assert "repomill resolve" in (doubtful.hint or "")
    stopping = decide_cancel_step("a", status="running", stopping=True)
    assert stopping is not None
    assert "already" in stopping.reason


@pytest.mark.parametrize("status", ["pending", "running", "completed", "failed", "in_doubt", "cancelled"])
def test_only_a_task_in_doubt_is_settled(status):
    assert (decide_resolve(status=status) is None) == (status == "in_doubt")


def definition(*steps: tuple[str, list[str]], tolerant: str = ""):
    return from_data(
        {
            "name": "t",
            "steps": [
                {"id": name, "type": "one", "depends_on": on, "continue_on_error": name == tolerant}
                for name, on in steps
            ],
        }
    )


DIAMOND: tuple[tuple[str, list[str]], ...] = (
    ("d", ["b", "c"]),
    ("a", []),
    ("b", ["a"]),
    ("c", ["a"]),
    ("e", ["d"]),
    ("x", []),
)
OK, BAD, SKIPPED, BLOCKED = (
    StepState("completed"),
    StepState("failed"),
    StepState("skipped"),
    StepState("skipped", blocked=True),
)


@pytest.mark.parametrize(
    ("states", "reopening"),
    [
        # All that was skipped because of b, near and far, waits again.
        ({"a": OK, "b": BAD, "c": OK, "d": BLOCKED, "e": BLOCKED, "x": OK}, Reopening(("b",), ("d", "e"))),
        ({"a": OK, "b": BAD, "c": BAD, "d": BLOCKED, "e": BLOCKED, "x": BAD}, Reopening(("b", "c", "x"), ("d", "e"))),
        # A step that its own condition skipped stays skipped.
        (
            {"a": BAD, "b": BLOCKED, "c": SKIPPED, "d": BLOCKED, "e": BLOCKED, "x": OK},
            Reopening(("a",), ("b", "d", "e")),
        ),
        (
            {"a": OK, "b": StepState("cancelled"), "c": OK, "d": BLOCKED, "e": BLOCKED, "x": OK},
            Reopening(("b",), ("d", "e")),
        ),
    ],
)
def test_where_a_failed_execution_goes_on(states, reopening):
    decided = decide_resume(definition(*DIAMOND), states, in_doubt=[])
    assert isinstance(decided, Reopening)
    assert decided.reopen == reopening.reopen
    assert set(decided.unblock) == set(reopening.unblock)


def test_a_failure_that_was_tolerated_is_left_alone():
    states = {"a": BAD, "b": BAD}
    steps: tuple[tuple[str, list[str]], ...] = (("a", []), ("b", ["a"]))
    assert decide_resume(definition(*steps, tolerant="a"), states, in_doubt=["a"]) == Reopening(("b",), ())


def test_what_cannot_be_resumed():
    steps: tuple[tuple[str, list[str]], ...] = (("a", []), ("b", ["a"]))
    outputs = decide_resume(definition(*steps), {"a": OK, "b": OK}, in_doubt=[])
    assert isinstance(outputs, Refusal)
    assert "outputs" in outputs.reason
    doubtful = decide_resume(definition(*steps), {"a": BAD, "b": BLOCKED}, in_doubt=["a"])
    assert isinstance(doubtful, Refusal)
    assert "'a'" in doubtful.reason


def test_reopening_one_step_leaves_other_failures():
    states = {"a": OK, "b": BAD, "c": BAD, "d": BLOCKED, "e": BLOCKED, "x": BAD}
    assert decide_reopening(definition(*DIAMOND), states, ["x"]) == Reopening(("x",), ())
