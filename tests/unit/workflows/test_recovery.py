"""What happens when a message or a worker is lost, or comes back from the dead."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from backend.apps.workflows.decisions.retry import MOST_LOSSES
from backend.apps.workflows.execution import write_back
from backend.apps.workflows.execution.claim import ClaimedTask, NotClaimed, claim, extend_lease
from backend.apps.workflows.execution.reconcile import Report, reconcile
from backend.apps.workflows.execution.run import Completed, Failed, Parked, TryAgain
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.errors import RateLimited, RemoteRefused, RemoteUnreachable
from tests.unit.workflows.conftest import kinds, task_of

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(hours=1)


def claimed_by(task_id, worker="w1", now=None) -> ClaimedTask:
    claimed = claim(task_id, worker=worker, now=now or timezone.now())
    assert isinstance(claimed, ClaimedTask)
    return claimed


def test_only_one_of_many_messages_claims(start):
    execution = start({"id": "a", "type": "one"})
    task = task_of(execution, "a").pk
    assert claimed_by(task).attempt == 1
    second = claim(task, worker="w2", now=timezone.now())
    assert second == NotClaimed(finished=False, why="the task is running")


def test_an_unknown_task_is_left_alone(db):
    missing = claim(UUID("00000000-0000-4000-8000-000000000000"), worker="w", now=timezone.now())
    assert missing == NotClaimed(finished=False, why="there is no such task")


@pytest.mark.parametrize("writes", ["complete", "fail", "try_again"])
def test_a_zombie_cannot_overwrite(start, runner, writes):
    from backend.apps.workflows.decisions.retry import Again

    execution = start({"id": "a", "type": "one"})
    task = task_of(execution, "a").pk
    zombie = claimed_by(task, "w1")
    successor = claimed_by(task, "w2", timezone.now() + LATER)
    assert successor.attempt == 2
    assert successor.took_over

    written = {
        "complete": lambda: write_back.complete(zombie, {"from": "zombie"}),
        "fail": lambda: write_back.fail(zombie, RemoteRefused(), why=""),
        "try_again": lambda: write_back.try_again(zombie, RemoteUnreachable(), Again(1, parked=False)),
    }[writes]()

    assert written is False
    assert write_back.complete(successor, {"from": "successor"})
    assert task_of(execution, "a").result == {"from": "successor"}
    execution.refresh_from_db()
    assert execution.status == "completed"
    assert kinds(execution).count("task_completed") == 1


def test_the_overtaken_attempt_leaves_the_chain_alone(start, runner):
    execution = start({"id": "a", "type": "three"})
    task = task_of(execution, "a").pk

    def overtaken(claimed):
        TaskExecution.objects.filter(pk=task).update(attempt=9)
        return {}

    runner.service = overtaken
    assert isinstance(runner.do(task), Parked)

    def overtaken_and_failed(claimed):
        TaskExecution.objects.filter(pk=task).update(attempt=20)
        raise (RemoteRefused if claimed.retries == 0 else RemoteUnreachable)

    for retries in (0, 1):
        TaskExecution.objects.filter(pk=task).update(status="pending", lease_expires_at=None, retries=retries)
        runner.service = overtaken_and_failed
        assert isinstance(runner.do(task), Parked)


def test_a_lost_worker_is_found_by_its_lease(start, runner, broker):
    execution = start({"id": "a", "type": "three"})
    first = task_of(execution, "a")
    claimed_by(first.pk, "lost-worker")
    broker.chains.clear()

    assert reconcile(now=timezone.now()) == Report(republished=0, taken_back=0)
    report = reconcile(now=timezone.now() + timedelta(seconds=31))
    assert report == Report(republished=1, taken_back=1)
    assert [len(chain) for chain in broker.chains] == [3]
    lost = execution.events.get(kind="lease_expired")
    assert lost.data == {"attempt": 1, "worker": "lost-worker"}

    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "completed"
    assert execution.events.filter(kind="task_completed").first().data["took_over"] is True
    assert task_of(execution, "a").retries == 0


def lose_workers(task_id, number, *, take_back) -> None:
    """Have that many attempts end with their workers; take_back: the reconciler finds them, or a claim does."""
    now = timezone.now()
    for _ in range(number):
        claimed_by(task_id, now=now)
        now += LATER
        if take_back:
            reconcile(now=now)
    TaskExecution.objects.filter(pk=task_id, status="running").update(lease_expires_at=timezone.now() - LATER)


@pytest.mark.parametrize("take_back", [True, False])
def test_a_task_that_ends_each_worker_is_not_taken_over_for_ever(start, runner, act, take_back):
    execution = start({"id": "a", "type": "one"})
    task = task_of(execution, "a").pk
    lose_workers(task, MOST_LOSSES, take_back=take_back)
    assert runner.do(task) == Failed("workers_lost")
    assert runner.calls == []
    assert "10 workers" in str(task_of(execution, "a").error)
    execution.refresh_from_db()
    assert execution.status == "failed"
    act("resume_execution", execution)
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "completed"


def test_one_worker_less_is_borne_and_an_attempt_that_ends_in_the_ordinary_way_begins_the_count_anew(start, runner):
    execution = start({"id": "a", "type": "one"})
    task = task_of(execution, "a").pk
    lose_workers(task, MOST_LOSSES - 1, take_back=True)

    def unreachable(claimed):
        raise RemoteUnreachable("Not now.", retry_after=0.0)

    runner.service = unreachable
    assert isinstance(runner.do(task), TryAgain)
    assert task_of(execution, "a").losses == 0


def test_recovery_publishes_the_chain_from_the_first_unfinished_link(start, runner, broker):
    execution = start({"id": "a", "type": "three"})
    assert isinstance(runner.do(task_of(execution, "a").pk), Completed)
    broker.sent.clear()
    # The worker died after the write-back and before Celery sent the next link.
    assert reconcile(now=timezone.now() + timedelta(minutes=1)).republished == 1
    assert broker.sent == [[task_of(execution, "a", 1).pk, task_of(execution, "a", 2).pk]]


def test_parked_work_is_woken_when_it_is_due(start, runner, broker):
    def limited(claimed):
        raise RateLimited(retry_after=3600)

    runner.service = limited
    execution = start({"id": "a", "type": "one"})
    runner.until_idle()
    assert reconcile(now=timezone.now() + timedelta(minutes=50)).republished == 0
    assert reconcile(now=timezone.now() + timedelta(minutes=61)).republished == 1
    assert task_of(execution, "a").status == "pending"


def test_a_task_of_a_cancelled_execution_is_not_claimed(start, runner):
    execution = start({"id": "a", "type": "one"})
    WorkflowExecution.objects.filter(pk=execution.pk).update(status="cancelled")
    assert isinstance(runner.do(task_of(execution, "a").pk), Parked)


def test_a_lease_is_extended_only_for_the_newest_attempt(start):
    execution = start({"id": "a", "type": "one"})
    task = task_of(execution, "a").pk
    claimed_by(task)
    soon = timezone.now() + timedelta(seconds=20)
    assert extend_lease(task, attempt=1, now=soon)
    assert task_of(execution, "a").lease_expires_at == soon + timedelta(seconds=30)
    assert not extend_lease(task, attempt=2, now=soon)
