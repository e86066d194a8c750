"""What a signal stops while it begins a transaction leaves none behind, nor the lock that others wait for."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from backend.apps.authentication.models import User
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services import deliver
from backend.apps.projects.models import GeneratedProject
from backend.apps.projects.services import generations
from backend.apps.projects.services.generations import generate
from backend.apps.projects.services.planning import create_project
from backend.apps.workflows.execution import run
from backend.apps.workflows.execution.heartbeat import Heartbeat
from backend.apps.workflows.execution.interruption import Interrupted
from backend.apps.workflows.execution.run import Parked, execute
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services import enqueue_method
from backend.config.celery import app
from backend.gc_pause import gc_paused
from workers import service_task as glue
from workers.interruption import SIGNAL, MainThread
from workers.service_task import TaskFailed

pytestmark = pytest.mark.django_db(transaction=True)
TABLE = User._meta.db_table
TAKE = {
    "sqlite": ["PRAGMA busy_timeout = 2000", "BEGIN IMMEDIATE"],
    "postgresql": ["SET lock_timeout = 2000", "BEGIN", f'LOCK TABLE "{TABLE}" IN EXCLUSIVE MODE'],
}
"""How another connection takes the lock, of SQLite the only one that there is, or fails within two seconds."""


@pytest.fixture
def other() -> Iterator[BaseDatabaseWrapper]:
    """A connection of somebody else's, which may be used by any thread."""
    found = connections.create_connection(DEFAULT_DB_ALIAS)
    found.inc_thread_sharing()
    found.connect()
    yield found
    found.close()


@pytest.fixture
def user() -> User:
    return User.objects.create_user("u")


@pytest.fixture
def task(monkeypatch, user) -> TaskExecution:
    app.loader.import_default_modules()
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)
    return enqueue_method(method="generation.cleanup", arguments={}, key="1", user=user)


@pytest.fixture(autouse=True)
def handlers():
    """Puts back what the signals did before."""
    before = {number: signal.getsignal(number) for number in (SIGNAL, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def past_its_limit() -> threading.Timer:
    """Raises SoftTimeLimitExceeded in the main thread, as the pool does, a moment after it is started."""

    def past(number, frame):
        raise SoftTimeLimitExceeded

    signal.signal(signal.SIGUSR1, past)
    return threading.Timer(0.1, signal.pthread_kill, args=(threading.main_thread().ident, signal.SIGUSR1))


def take(other: BaseDatabaseWrapper) -> None:
    with other.cursor() as cursor:
        for statement in TAKE[other.vendor]:
            cursor.execute(statement)


def give_back(other: BaseDatabaseWrapper) -> None:
    with other.cursor() as cursor:
        cursor.execute("ROLLBACK")


def write_while_it_is_taken(other: BaseDatabaseWrapper, stop: threading.Timer) -> None:
    """Begin a transaction that has to wait, be stopped meanwhile, and have the lock a moment later."""
    back = threading.Timer(0.4, give_back, args=(other,))
    take(other)
    stop.start()
    back.start()
    try:
        with transaction.atomic():
            User.objects.update(first_name="was not stopped")
    finally:
        stop.join()
        back.join()


# Tracebacks that refer to each other are found by the collector alone, which may not run for hours.
@gc_paused()
def test_an_interrupted_attempt_keeps_no_lock(task, other, monkeypatch):
    work = MainThread()

    class WritesAtItsEnd(Heartbeat):
        """Extends the lease in the last moment, on a connection of its own, as the thread may."""

        def __exit__(self, *how: Any) -> None:
            take(other)
            give_back(other)
            super().__exit__(*how)

    monkeypatch.setattr(run, "Heartbeat", WritesAtItsEnd)

    def service(claimed):
        try:
            write_while_it_is_taken(other, threading.Timer(0.1, work.interrupt))
        finally:
            # What tidies up has to begin another one, and SQLite has the first one open.
            with transaction.atomic():
                User.objects.update(last_name="failed")

    assert execute(task.pk, service=service, worker="w", interruption=work) == Parked("the attempt has been overtaken")
    assert User.objects.get().first_name == ""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_at_whatever_moment_it_comes_the_next_write_is_kept(monkeypatch, user, other):
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)
    moments = Random(5)
    mine = User.objects.filter(pk=user.pk)

    def service(claimed, work, over):
        threading.Thread(target=interrupt, args=(work, over), daemon=True).start()
        while True:
            with transaction.atomic():
                mine.update(first_name="a")
                with transaction.atomic():
                    mine.update(last_name="b")

    def interrupt(work, over):
        """Ask until it ends, as the heartbeat does: Python ignores what is raised in a collector's callback."""
        wait = moments.uniform(0, 0.006)
        while not over.wait(wait):
            work.interrupt()
            wait = 0.5

    for number in range(300):
        task = enqueue_method(method="generation.cleanup", arguments={}, key=str(number), user=user)
        work, over = MainThread(), threading.Event()
        execute(task.pk, service=partial(service, work=work, over=over), worker="w", interruption=work)
        over.set()
        mine.update(email=f"{number}@example.com")
        with other.cursor() as cursor:
            cursor.execute(f'SELECT email FROM "{TABLE}"')
            assert cursor.fetchone() == (f"{number}@example.com",)


@gc_paused()
def test_what_was_being_done_is_called_failed_all_the_same(user, other, monkeypatch):
    project = create_project(user=user, name="Demo")

    def interrupted(*_: Any, **__: Any) -> None:
        work = MainThread()
        with work:
            write_while_it_is_taken(other, threading.Timer(0.1, work.interrupt))

    on: dict[str, Any] = {"project": project, "user": user}
    made = generate(**on, execution_id=None, readme="# Demo")
    monkeypatch.setattr(deliver, "package", interrupted)
    with pytest.raises(Interrupted):
        deliver.deliver_archive(key="1", format="zip", execution_id=None, **on, generation_id=made["generation"])
    assert RepositoryExport.objects.get().status == "failed"
    monkeypatch.setattr(generations, "record", interrupted)
    with pytest.raises(Interrupted):
        generate(**on, execution_id=None, readme="# Demo 2")
    assert GeneratedProject.objects.get(commit="").status == "failed"


@gc_paused()
def test_one_past_its_time_limit_is_recorded_as_such(task, other, past_its_limit):
    fake: Any = FakeTask()
    with pytest.raises(TaskFailed, match="time_limit_exceeded"):
        glue._run(fake, lambda call: write_while_it_is_taken(other, past_its_limit), task.pk)
    take(other)
    give_back(other)
    task.refresh_from_db()
    assert (task.status, task.error["code"]) == ("failed", "time_limit_exceeded")


@gc_paused()
def test_a_time_limit_that_strikes_outside_the_service_leaves_no_lock(task, other, past_its_limit, monkeypatch):
    fake: Any = FakeTask()
    monkeypatch.setattr(glue, "execute", lambda *_, **__: write_while_it_is_taken(other, past_its_limit))
    with pytest.raises(SoftTimeLimitExceeded):
        glue._run(fake, lambda call: None, task.pk)
    take(other)
    give_back(other)


class FakeTask:
    """What the glue asks of Celery's task."""

    name = "generation.cleanup"
    request = SimpleNamespace(hostname="w@h", headers=None)


class StruckAt(list[Any]):
    """An atomic block's list of blocks; while a block is entered or left a signal comes."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        self._left = {moment}

    def _strike(self, moment: str) -> None:
        if moment in self._left:
            self._left.clear()
            signal.raise_signal(signal.SIGUSR1)

    def append(self, block: Any) -> None:
        super().append(block)
        self._strike("entered")

    def pop(self, *place: Any) -> Any:
        self._strike("left")
        return super().pop(*place)


@pytest.mark.parametrize("moment", ["entered", "left"])
def test_a_time_limit_that_strikes_as_a_transaction_is_entered_or_left_leaves_no_lock(
    task, other, past_its_limit, moment
):
    """It comes from another process, so it can come between any two instructions of Django's."""

    def body(call):
        connections[DEFAULT_DB_ALIAS].atomic_blocks = StruckAt(moment)
        with transaction.atomic():
            User.objects.update(first_name="was not stopped")

    fake: Any = FakeTask()
    with pytest.raises(TaskFailed, match="time_limit_exceeded"):
        glue._run(fake, body, task.pk)
    assert not connections[DEFAULT_DB_ALIAS].in_atomic_block
    take(other)
    with other.cursor() as cursor:
        cursor.execute(f'SELECT status FROM "{TaskExecution._meta.db_table}"')
        assert cursor.fetchone() == ("failed",)
    give_back(other)
    assert User.objects.get().first_name == ""
