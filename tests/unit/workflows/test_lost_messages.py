"""How soon a message is sent again: a promise in seconds that neither a dying reconciler nor a dead broker breaks."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from backend import failpoints
from backend.apps.workflows.execution.claim import claim
from backend.apps.workflows.execution.lost_messages import SENDING, expect_no_answers
from backend.apps.workflows.execution.reconcile import reconcile
from backend.apps.workflows.execution.waiting import UNSHOWN
from backend.apps.workflows.models import ExecutionEvent, TaskExecution
from backend.apps.workflows.publishing import PATIENCE, queue_of
from backend.errors import TemporaryFailure
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


@pytest.fixture
def tasks(start, broker):
    """Makes tasks of one queue that were sent a second after each other, the newest now."""

    def make(count: int) -> list[TaskExecution]:
        made = [task_of(start({"id": "a", "type": "one"}), "a") for _ in range(count)]
        now = timezone.now()
        for age, task in enumerate(reversed(made)):
            at = now - timedelta(seconds=age)
            TaskExecution.objects.filter(pk=task.pk).update(published_at=at, next_publish_at=at + PATIENCE)
        broker.sent.clear()
        return made

    return make


def test_what_still_waits_in_its_queue_is_not_sent_again(tasks, broker):
    """However long that queue is; and once it has left the queue unanswered, it was lost."""
    *before, mine, after = tasks(6)
    now = timezone.now()
    queue = queue_of(mine.method)
    for seen, more in ((before, True), ([*before, mine, after], False), ([mine, after], True), ([mine], False)):
        broker.show(queue, *seen, more=more)
        for _ in range(5):
            now += LOST
            reconcile(now=now)
            assert [mine.pk] not in broker.sent
    broker.sent.clear()
    broker.show(queue, after)
    assert reconcile(now=now + LOST).republished == 5
    assert [after.pk] not in broker.sent
    lost = ExecutionEvent.objects.filter(kind="message_lost", task_id=mine.pk)
    assert [event.data["times"] for event in lost] == [1]


def test_what_is_not_in_a_short_queue_is_lost_however_old_what_waits_there_is(tasks, broker):
    """Celery puts the message of a pool process that was killed back, and with it what is much older than the rest."""
    put_back, mine, after = tasks(3)
    broker.show(queue_of(mine.method), put_back, after)
    assert reconcile(now=timezone.now() + LOST).republished == 1
    assert broker.sent == [[mine.pk]]


def test_what_is_not_in_a_short_queue_is_lost_whatever_else_waits_there(tasks, broker):
    """A copy of what was taken back meanwhile: its row does not say when it was sent."""
    copy, mine = tasks(2)
    claim(copy.pk, worker="lost", now=timezone.now())
    TaskExecution.objects.filter(pk=copy.pk).update(published_at=None)
    broker.show(queue_of(mine.method), copy, "", "not a task's")
    assert reconcile(now=timezone.now() + LOST).republished == 1
    assert broker.sent == [[mine.pk]]


@pytest.mark.parametrize("odd", [0, 1])
def test_a_few_odd_messages_at_the_front_of_a_long_queue_are_outvoted(tasks, broker, odd):
    """0: an old one that was put back; 1: an old copy of what was sent anew only now."""
    *known, newest = tasks(12)
    lost, front, behind = known[1], known[2:10], known[10]
    broker.show(queue_of(lost.method), (known[0], newest)[odd], *front, more=True)
    reconcile(now=timezone.now() + LOST)
    assert [lost.pk] in broker.sent
    assert [behind.pk] not in broker.sent
    assert not {(task.pk,) for task in front} & {tuple(chain) for chain in broker.sent}


def test_a_long_queue_with_nobodys_messages_in_front_is_waited_for_so_long(tasks, broker):
    (task,) = tasks(1)
    now = timezone.now()
    broker.show(queue_of(task.method), "", "not a task's", "00000000-0000-0000-0000-000000000000", more=True)
    assert reconcile(now=now + LOST).republished == 0
    assert reconcile(now=now + UNSHOWN + LOST).republished == 1


def test_another_queue_with_nobodys_messages_in_front_is_not_waited_for(tasks, broker):
    tasks(1)
    broker.show("another", "", more=True)
    assert reconcile(now=timezone.now() + LOST).republished == 1


def test_a_long_queue_does_not_keep_what_another_has_lost_from_being_found(tasks, broker, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.lost_messages.BATCH", 2)
    *waiting, mine = tasks(8)
    TaskExecution.objects.filter(pk=mine.pk).update(method="export.export_to_git")
    broker.show(queue_of(waiting[0].method), *waiting[:5], more=True)
    assert reconcile(now=timezone.now() + LOST).republished == 1
    assert broker.sent == [[mine.pk]]


def test_all_that_was_lost_together_is_sent_in_one_round(tasks, broker, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.lost_messages.BATCH", 2)
    lost = tasks(7)
    assert reconcile(now=timezone.now() + LOST).republished == 7
    assert sorted(chain[0] for chain in broker.sent) == sorted(task.pk for task in lost)
    assert reconcile(now=timezone.now() + LOST).republished == 0


def test_an_execution_that_is_locked_holds_up_no_other(tasks, broker, monkeypatch):
    """A process that is stopped in a transaction can hold one for a whole lease, however much waits in it."""
    monkeypatch.setattr("backend.apps.workflows.execution.lost_messages.BATCH", 2)
    *held_up, mine = tasks(4)
    locked = {task.execution_id for task in held_up}
    monkeypatch.setattr(
        "backend.apps.workflows.execution.lost_messages.locking", lambda execution, skip_locked: (execution,)
    )
    monkeypatch.setattr(
        "backend.apps.workflows.execution.lost_messages.fetch",
        lambda execution: [] if execution in locked else [(execution,)],
    )
    assert reconcile(now=timezone.now() + LOST).republished == 1
    assert broker.sent == [[mine.pk]]


def test_a_retrys_message_that_a_flush_took_is_sent_when_its_time_has_come(start, broker, runner):
    def fail(claimed):
        raise TemporaryFailure("Not now.")

    execution = start({"id": "a", "type": "one"})
    runner.service = fail
    runner.do(task_of(execution, "a").pk)
    broker.sent.clear()
    due = task_of(execution, "a").not_before
    assert due is not None
    assert expect_no_answers(now=timezone.now()) == 1
    assert reconcile(now=due - timedelta(seconds=0.5)).republished == 0
    assert reconcile(now=due).republished == 1


def test_a_broker_that_does_not_answer_is_sent_nothing_and_no_message_counts_as_lost(start, broker):
    execution = start({"id": "a", "type": "one"})
    broker.fronts = None
    assert reconcile(now=timezone.now() + LOST).republished == 0
    assert "message_lost" not in kinds(execution)
    broker.fronts = {}
    assert reconcile(now=timezone.now() + LOST).republished == 1


def test_what_the_broker_refused_is_sent_as_soon_as_it_takes_messages(start, broker, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda chain: False)
    execution = start({"id": "a", "type": "one"})
    assert broker.sent == []
    # Somebody else's message at the front does not matter: this one was never sent.
    broker.show(queue_of("test.do"), "", more=True)
    assert reconcile(now=timezone.now()).republished == 1
    assert broker.sent == [[task_of(execution, "a").pk]]
    assert "message_lost" not in kinds(execution)


def test_what_has_no_message_does_not_stand_behind_what_waits_in_a_long_queue(start, broker, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.lost_messages.BATCH", 3)
    waiting = [task_of(start({"id": "a", "type": "one"}), "a") for _ in range(5)]
    taken_back = task_of(start({"id": "a", "type": "one"}), "a")
    broker.show(queue_of("test.do"), waiting[0], more=True)
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


def test_where_the_broker_says_only_how_many_wait_time_decides(start, broker):
    task = task_of(start({"id": "a", "type": "one"}), "a")
    queue, now = queue_of(task.method), sent_at(task)
    for _ in range(3):
        broker.show(queue, more=True)
        for waited in (LOST, UNSHOWN - timedelta(seconds=1)):
            assert reconcile(now=now + waited).republished == 0
        now += UNSHOWN + LOST
        assert reconcile(now=now).republished == 1
    # In an empty queue nothing waits.
    broker.fronts = {}
    assert reconcile(now=now + LOST).republished == 1
