"""How soon a message is sent again: a promise in seconds that neither a dying reconciler nor a dead broker breaks."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from backend import failpoints
from backend.apps.workflows.execution.claim import claim
from backend.apps.workflows.execution.lost_messages import SENDING, expect_no_answers
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.models import ExecutionEvent, TaskExecution
from backend.apps.workflows.publishing import PATIENCE, queue_of
from backend.failpoints import Failpoint
from tests.unit.workflows.conftest import kinds, task_of

pytestmark = pytest.mark.django_db(transaction=True)

LOST = PATIENCE + timedelta(seconds=5)


def sent_at(task: TaskExecution) -> datetime:
    assert task.published_at is not None
    return task.published_at


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
    start({"id": "a", "type": "one"})
    asked = []

    def refuse(chain):
        asked.append(chain[0].pk)
        return False

    monkeypatch.setattr("backend.apps.workflows.execution.lost_messages.publish_chain", refuse)
    now = timezone.now() + LOST
    for round_ in range(10):
        assert reconcile(now=now + round_ * SENDING).republished == 0
    assert len(asked) == 10
    monkeypatch.setattr("backend.apps.workflows.execution.lost_messages.publish_chain", broker.publish)
    assert reconcile(now=now + 10 * SENDING).republished == 1


def test_a_dead_broker_is_asked_once_a_round_and_not_for_every_task(start, broker, monkeypatch):
    for _ in range(3):
        start({"id": "a", "type": "one"})
    asked = []

    def refuse(chain):
        asked.append(chain)
        return False

    monkeypatch.setattr("backend.apps.workflows.execution.lost_messages.publish_chain", refuse)
    reconcile(now=timezone.now() + LOST)
    assert len(asked) == 1


def test_the_fifth_message_that_is_lost_is_noticed_as_soon_as_the_first(start, broker):
    execution = start({"id": "a", "type": "one"})
    now = sent_at(task_of(execution, "a"))
    for times in range(1, 6):
        assert reconcile(now=now + PATIENCE - timedelta(seconds=1)).republished == 0
        now += PATIENCE
        assert reconcile(now=now).republished == 1
        lost = execution.events.filter(kind="message_lost")
        assert [event.data["times"] for event in lost] == list(range(1, times + 1))
    event = lost.last()
    assert (event.step_id, event.task_id) == ("a", task_of(execution, "a").pk)
    assert event.data["method"] == "test.do"


def test_what_still_waits_in_its_queue_is_not_sent_again(start, broker):
    """However long that queue is; and once it has left the queue unanswered, it was lost."""
    before, mine, after = (task_of(start({"id": "a", "type": "one"}), "a") for _ in range(3))
    queue = queue_of(mine.method)
    now = sent_at(mine)
    for oldest in (before, mine):
        broker.oldest = {queue: str(oldest.pk)}
        for _ in range(5):
            now += LOST
            TaskExecution.objects.exclude(pk=mine.pk).update(next_publish_at=None)
            assert reconcile(now=now).republished == 0
    broker.oldest = {queue: str(after.pk)}
    assert reconcile(now=now + LOST).republished == 1
    assert broker.sent[-1] == [mine.pk]
    lost = ExecutionEvent.objects.filter(kind="message_lost")
    assert [(event.task_id, event.data["times"]) for event in lost] == [(mine.pk, 1)]


@pytest.mark.parametrize("oldest", ["", "not a task's", "00000000-0000-0000-0000-000000000000"])
def test_a_queue_with_somebody_elses_message_in_front_is_waited_for(start, broker, oldest):
    task = task_of(start({"id": "a", "type": "one"}), "a")
    broker.oldest = {queue_of(task.method): oldest}
    assert reconcile(now=timezone.now() + LOST).republished == 0
    broker.oldest = {"another": oldest}
    assert reconcile(now=timezone.now() + 2 * LOST).republished == 1


def test_a_broker_that_does_not_answer_is_sent_nothing_and_no_message_counts_as_lost(start, broker):
    execution = start({"id": "a", "type": "one"})
    broker.oldest = None
    assert reconcile(now=timezone.now() + LOST).republished == 0
    assert "message_lost" not in kinds(execution)
    broker.oldest = {}
    assert reconcile(now=timezone.now() + LOST).republished == 1


def test_what_the_broker_refused_is_sent_as_soon_as_it_takes_messages(start, broker, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda chain: False)
    execution = start({"id": "a", "type": "one"})
    assert broker.sent == []
    # Somebody else's message at the front does not matter: this one was never sent.
    broker.oldest = {queue_of("test.do"): ""}
    assert reconcile(now=timezone.now()).republished == 1
    assert broker.sent == [[task_of(execution, "a").pk]]
    assert "message_lost" not in kinds(execution)


def test_what_has_no_message_does_not_stand_behind_what_waits_in_a_long_queue(start, broker, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.lost_messages.BATCH", 3)
    waiting = [task_of(start({"id": "a", "type": "one"}), "a") for _ in range(5)]
    taken_back = task_of(start({"id": "a", "type": "one"}), "a")
    broker.oldest = {queue_of("test.do"): str(waiting[0].pk)}
    now = timezone.now()
    claim(taken_back.pk, worker="lost", now=now)
    now += timedelta(seconds=60)
    assert reconcile(now=now).republished == 1
    assert broker.sent[-1] == [taken_back.pk]


def test_what_a_flushed_broker_had_is_sent_at_once(start, broker):
    start({"id": "a", "type": "one"})
    now = timezone.now()
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
