"""Another system's words may hold characters that a database cannot keep: the task ends with them all the same."""

import pytest

from backend.apps.workflows.execution.run import Failed, TryAgain
from backend.errors import RemoteRefused, RemoteUnreachable
from tests.unit.workflows.conftest import kinds, task_of

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "no\0 \ud800 way ✓"
SHOWN = "no\\x00 \\ud800 way ✓"


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
