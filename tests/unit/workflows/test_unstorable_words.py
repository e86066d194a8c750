"""Another system's words may hold characters that a database cannot keep: the task ends with them all the same."""

from pathlib import PurePosixPath
from uuid import UUID

import pytest

from backend.apps.workflows.execution.run import Failed, TryAgain
from backend.errors import RateLimited, RemoteRefused, RemoteUnreachable
from tests.unit.workflows.conftest import kinds, task_of

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "no\0 \ud800 way ✓"
LONG = 10**5000
SHOWN = "no\\x00 \\ud800 way ✓"


def repr_of_type(value):
    # Python writes no number of so many digits, and neither could the test's name.
    return type(value).__name__


def test_a_failure_is_written_back(start, runner):
    def refuse(claimed):
        raise RemoteRefused(WORDS, hint=WORDS, path=[WORDS, {WORDS: 1}])

    runner.service = refuse
    execution = start({"id": "a", "type": "one"})
    assert runner.do(task_of(execution, "a").pk) == Failed("remote_refused")
    execution.refresh_from_db()
    assert execution.status == "failed"
    assert execution.error == {
        "step": "a",
        "code": "remote_refused",
        "message": SHOWN,
        "retryable": False,
        "hint": SHOWN,
        "path": [SHOWN, {SHOWN: 1}],
    }
    assert "task_failed" in kinds(execution)


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ({"x"}, ["x"]),
        (b"\0x", "b'\\x00x'"),
        (PurePosixPath("a/b"), "a/b"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({1: [None, True, 2**70, 1.5]}, {"1": [None, True, 2**70, 1.5]}),
        ({"most": LONG}, {"most": "a number of too many digits"}),
    ],
    ids=repr_of_type,
)
def test_a_failure_is_written_back_whatever_its_place_is(start, runner, place, shown):
    def refuse(claimed):
        raise RemoteRefused("No.", expected=place)

    runner.service = refuse
    execution = start({"id": "a", "type": "one"})
    assert runner.do(task_of(execution, "a").pk) == Failed("remote_refused")
    execution.refresh_from_db()
    assert (execution.status, execution.error["expected"]) == ("failed", shown)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0, 10.0**300])
def test_a_wait_is_written_back_however_long(start, runner, seconds):
    def wait(claimed):
        raise RateLimited("Later.", retry_after=seconds)

    runner.service = wait
    execution = start({"id": "a", "type": "one"})
    runner.do(task_of(execution, "a").pk)
    found = task_of(execution, "a")
    assert (found.status, (found.error or {}).get("code")) == ("pending", "rate_limited")


def test_a_result_that_cannot_be_written_out_fails_its_step(start, runner):
    runner.service = lambda claimed: {"n": [LONG]}
    execution = start({"id": "a", "type": "one"})
    assert runner.do(task_of(execution, "a").pk) == Failed("invalid_input")
    execution.refresh_from_db()
    assert (execution.status, execution.error["field"]) == ("failed", "result.n[0]")


def test_a_retry_is_written_back(start, runner):
    def unreachable(claimed):
        raise RemoteUnreachable(WORDS)

    runner.service = unreachable
    execution = start({"id": "a", "type": "one"})
    task = task_of(execution, "a").pk
    assert isinstance(runner.do(task), TryAgain)
    found = task_of(execution, "a")
    assert found.error is not None
    assert (found.status, found.error["message"]) == ("pending", SHOWN)
