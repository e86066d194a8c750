"""Transactions that are done again while the database does not answer."""

from contextlib import contextmanager

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.claim import claim
from backend.apps.workflows.execution.persistence import persistently
from backend.apps.workflows.execution.run import Completed, Parked
from tests.unit.workflows.conftest import kinds, task_of

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def breaking_at(words: str, *, times: int):
    """Let the first `times` statements that hold these words find no database."""
    left = [times]

    def statement(execute, sql, params, many, context):
        if words in sql and left[0]:
            left[0] -= 1
            raise OperationalError("server closed the connection unexpectedly; it had the row (secret)")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(statement):
        yield
    assert not left[0], "the statement was never reached"


@pytest.mark.parametrize(
    "words",
    [
        "SET \"status\" = 'running'",
        "SET \"status\" = 'completed'",
        'INTO "workflows_executionevent"',
        'SET "result"',
    ],
)
def test_a_database_that_is_away_for_a_moment_costs_no_attempt(start, runner, words, monkeypatch, caplog):
    # The connection that the wrapper listens on stays: what is new about a new one is not the point here.
    monkeypatch.setattr(connection, "close", lambda: None)
    execution = start({"id": "a", "type": "one"})
    with breaking_at(words, times=2):
        assert runner.do(task_of(execution, "a").pk) == Completed()
    execution.refresh_from_db()
    assert execution.status == "completed"
    assert task_of(execution, "a").attempt == 1
    assert len(runner.calls) == 1
    assert kinds(execution) == [
        "execution_started",
        "step_started",
        "task_completed",
        "step_completed",
        "execution_completed",
    ]
    assert "secret" not in caplog.text


def test_a_commit_whose_answer_was_lost_is_not_taken_for_an_overtaken_attempt(start, runner, monkeypatch):
    real, calls = write_back.complete, []

    def committed_but_silent(claimed, result):
        written = real(claimed, result)
        calls.append(written)
        if len(calls) == 1:
            raise OperationalError("the connection broke")
        return written

    monkeypatch.setattr(write_back, "complete", committed_but_silent)
    execution = start({"id": "a", "type": "three"})
    assert runner.do(task_of(execution, "a").pk) == Completed()
    assert calls == [True, False]
    assert kinds(execution).count("task_completed") == 1


def test_a_claim_whose_answer_was_lost_is_left_to_its_lease(start, runner, monkeypatch):
    calls = []

    def claimed_but_silent(task_id, *, worker, now):
        calls.append(claim(task_id, worker=worker, now=now))
        if len(calls) == 1:
            raise InterfaceError("the connection broke")
        return calls[-1]

    monkeypatch.setattr("backend.apps.workflows.execution.run.claim", claimed_but_silent)
    execution = start({"id": "a", "type": "one"})
    assert runner.do(task_of(execution, "a").pk) == Parked("the task is running")
    assert runner.calls == []


def test_it_gives_up_in_the_end(monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.persistence.stop_after_delay", lambda _: lambda state: True)

    def away():
        raise OperationalError("gone")

    with pytest.raises(OperationalError, match="gone"):
        persistently(away)


def test_a_new_try_gets_a_new_connection():
    connection.ensure_connection()
    before, tries = connection.connection, []

    def once_broken():
        tries.append(connection.connection)
        if len(tries) == 1:
            raise OperationalError("gone")
        connection.ensure_connection()
        return connection.connection

    assert persistently(once_broken) is not before


@pytest.mark.django_db(transaction=False)
def test_within_somebody_elses_transaction_nothing_is_tried_again():
    tries = []

    def away():
        tries.append(timezone.now())
        raise OperationalError("gone")

    with pytest.raises(OperationalError):
        persistently(away)
    assert len(tries) == 1
