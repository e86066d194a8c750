"""How soon a message is sent again: a promise in seconds that neither a dying reconciler nor a dead broker breaks."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backend import failpoints
from backend.apps.workflows.execution.claim import claim
from backend.apps.workflows.execution.reconcile import SENDING, expect_no_answers, reconcile
from backend.apps.workflows.models import TaskExecution
from backend.failpoints import Failpoint
from tests.unit.workflows.conftest import task_of

pytestmark = pytest.mark.django_db(transaction=True)

LOST = timedelta(seconds=25)


class Killed(BaseException):
    """What a test has for kill -9."""


@pytest.fixture
def die_at():
    """Have this process die at a failpoint, once."""

    def install(point):
        def hook(reached):
            if reached is point:
                failpoints.install(None)
                raise Killed

        failpoints.install(hook)

    yield install
    failpoints.install(None)


def test_what_a_dying_reconciler_took_is_sent_by_the_next_one(start, broker, die_at):
    tasks = [task_of(start({"id": "a", "type": "one"}), "a").pk for _ in range(3)]
    broker.sent.clear()
    now = timezone.now() + LOST
    die_at(Failpoint.REPUBLISHING)
    with pytest.raises(Killed):
        reconcile(now=now)
    assert broker.sent == []
    assert reconcile(now=now + SENDING).republished == 3
    assert sorted(chain[0] for chain in broker.sent) == sorted(tasks)


def test_a_broker_that_is_away_does_not_use_up_the_patience(start, broker, monkeypatch):
    execution = start({"id": "a", "type": "one"})
    asked = []

    def refuse(chain):
        asked.append(chain[0].pk)
        return False

    monkeypatch.setattr("backend.apps.workflows.execution.reconcile.publish_chain", refuse)
    now = timezone.now() + LOST
    for round_ in range(10):
        assert reconcile(now=now + round_ * SENDING).republished == 0
    assert len(asked) == 10
    assert task_of(execution, "a").publish_count == 0
    monkeypatch.setattr("backend.apps.workflows.execution.reconcile.publish_chain", broker.publish)
    assert reconcile(now=now + 10 * SENDING).republished == 1


def test_a_dead_broker_is_asked_once_a_round_and_not_for_every_task(start, broker, monkeypatch):
    for _ in range(3):
        start({"id": "a", "type": "one"})
    asked = []

    def refuse(chain):
        asked.append(chain)
        return False

    monkeypatch.setattr("backend.apps.workflows.execution.reconcile.publish_chain", refuse)
    reconcile(now=timezone.now() + LOST)
    assert len(asked) == 1


def test_a_task_that_was_taken_back_has_its_messages_counted_anew(start, broker):
    execution = start({"id": "a", "type": "one"})
    task = task_of(execution, "a")
    now = timezone.now()
    for seconds in (25, 70, 160):
        reconcile(now=now + timedelta(seconds=seconds))
    assert task_of(execution, "a").publish_count == 3
    now += timedelta(seconds=170)
    claim(task.pk, worker="lost", now=now)
    now += timedelta(seconds=60)
    assert reconcile(now=now).taken_back == 1
    # That message is lost as well; the next one comes as soon as after a first.
    assert reconcile(now=now + LOST).republished == 1


def test_what_a_flushed_broker_had_is_sent_at_once_however_patient_the_wait_had_become(start, broker):
    execution = start({"id": "a", "type": "one"})
    now = timezone.now()
    for seconds in (25, 70, 160, 330):
        reconcile(now=now + timedelta(seconds=seconds))
    assert task_of(execution, "a").publish_count == 4
    now += timedelta(seconds=331)
    assert reconcile(now=now).republished == 0
    assert expect_no_answers(now=now) == 1
    assert reconcile(now=now).republished == 1
    assert expect_no_answers(now=now) == 1


def test_what_waits_for_a_later_time_is_left_alone_by_a_flush(start, broker):
    execution = start({"id": "a", "type": "three"})
    now = timezone.now()
    later = now + timedelta(hours=1)
    TaskExecution.objects.filter(pk=task_of(execution, "a").pk).update(not_before=later, next_publish_at=later)
    assert expect_no_answers(now=now) == 0
    assert reconcile(now=now).republished == 0
