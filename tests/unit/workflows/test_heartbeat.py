"""The thread that keeps a lease and notices when to stop."""

import threading
from dataclasses import replace
from uuid import UUID

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError

from backend.apps.workflows.execution import heartbeat
from backend.apps.workflows.execution.claim import Standing, claim, standing_of
from backend.apps.workflows.execution.heartbeat import Heartbeat
from backend.apps.workflows.models import TaskExecution
from tests.unit.workflows.conftest import task_of

TASK = UUID("00000000-0000-4000-8000-000000000000")
MINE, TO_STOP, LOST, GONE = Standing.MINE, Standing.TO_STOP, Standing.LOST, OperationalError("gone")
BROKEN = InterfaceError("connection already closed")


class Database:
    """Stands for the database: says how the attempt stands, from a list whose last answer it repeats."""

    def __init__(self, *answers: Standing | Exception) -> None:
        self.answers = list(answers)
        self.extended = 0
        self.extends = True
        self.beats = threading.Semaphore(0)

    def standing_of(self, task_id, *, attempt):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.beats.release()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def extend_lease(self, task_id, *, attempt, now):
        self.extended += 1
        return self.extends

    def wait_for(self, beats: int) -> None:
        for _ in range(beats):
            assert self.beats.acquire(timeout=10)


@pytest.fixture
def beating(monkeypatch, settings):
    """Makes a heartbeat that beats every millisecond on a database that is given."""

    def make(database: Database, interrupt) -> Heartbeat:
        settings.ENVIRONMENT = replace(settings.ENVIRONMENT, lease_seconds=0.003)
        monkeypatch.setattr(heartbeat, "standing_of", database.standing_of)
        monkeypatch.setattr(heartbeat, "extend_lease", database.extend_lease)
        return Heartbeat(TASK, attempt=1, interrupt=interrupt)

    return make


@pytest.mark.parametrize(
    ("answers", "lost", "cancelled"),
    [
        ((MINE,), False, False),
        ((MINE, GONE, MINE), False, False),
        ((MINE, LOST), True, False),
        ((GONE, LOST), True, False),
        ((BROKEN, LOST), True, False),
        ((MINE, TO_STOP), False, True),
        ((TO_STOP, GONE, TO_STOP), False, True),
        ((TO_STOP, LOST), True, True),
    ],
)
def test_what_a_heartbeat_notices(beating, answers, lost, cancelled):
    database = Database(*answers)
    interrupted = []
    with beating(database, lambda: interrupted.append(1)) as heart:
        database.wait_for(len(answers) + 3)
    assert (heart.lost, heart.cancelled) == (lost, cancelled)
    # Once, however often it beats meanwhile: what tidies up is left in peace.
    assert len(interrupted) == (1 if lost or cancelled else 0)


def test_the_lease_is_kept_until_the_work_has_tidied_up(beating):
    database = Database(TO_STOP)
    with beating(database, lambda: None):
        database.wait_for(5)
    assert database.extended >= 2


def test_a_lease_that_cannot_be_extended_is_lost(beating):
    database = Database(MINE)
    database.extends = False
    interrupted = threading.Event()
    with beating(database, interrupted.set) as heart:
        assert interrupted.wait(10)
    assert heart.lost


def test_work_that_goes_on_is_interrupted_again(beating, monkeypatch):
    monkeypatch.setattr(heartbeat, "PATIENCE", 0.0)
    interruptions = threading.Semaphore(0)
    with beating(Database(TO_STOP), interruptions.release):
        for _ in range(3):
            assert interruptions.acquire(timeout=10)


def test_a_request_is_noticed_within_two_seconds_however_long_the_lease():
    assert heartbeat.LONGEST_PAUSE <= 2


@pytest.mark.django_db(transaction=True)
def test_how_an_attempt_stands(start, broker):
    from django.utils import timezone

    task = task_of(start({"id": "a", "type": "one"}), "a")
    assert standing_of(task.pk, attempt=1) is LOST
    claim(task.pk, worker="w", now=timezone.now())
    assert standing_of(task.pk, attempt=1) is MINE
    TaskExecution.objects.update(cancel_requested_at=timezone.now())
    assert standing_of(task.pk, attempt=1) is TO_STOP
    assert standing_of(task.pk, attempt=2) is LOST


def test_an_attempt_that_is_stopped_as_it_begins_is_not_looked_after(monkeypatch):
    """Its lease would be extended for ever, and nobody would ever take the task over."""
    begin = threading.Thread.start

    def struck(thread):
        begin(thread)
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(heartbeat._beats, "_thread", None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", struck)
        with pytest.raises(SoftTimeLimitExceeded), Heartbeat(TASK, attempt=1):
            pytest.fail("it has not begun")
    assert not heartbeat._beats._attempts
