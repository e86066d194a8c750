"""Interrupting the main thread, by real signals."""

import asyncio
import signal
import subprocess
import sys
import threading

import anyio
import pytest
from billiard import common

from backend.apps.workflows.execution.interruption import Interrupted, Uninterruptible
from workers import interruption, pool_process
from workers.interruption import SIGNAL, MainThread


@pytest.fixture(autouse=True)
def handler():
    """Puts back what the signal did before."""
    before = signal.getsignal(SIGNAL)
    yield
    signal.signal(SIGNAL, before)


def soon(work: MainThread) -> threading.Thread:
    thread = threading.Timer(0.05, work.interrupt)
    thread.start()
    return thread


def blocking_child():
    subprocess.run([sys.executable, "-c", "import time; time.sleep(30)"])


def waiting_for_an_event():
    threading.Event().wait(30)


def in_an_event_loop():
    asyncio.run(asyncio.sleep(30))


def in_a_callback_of_an_event_loop():
    async def busy():
        asyncio.get_running_loop().call_soon(threading.Event().wait, 30)
        await asyncio.sleep(30)

    asyncio.run(busy())


def that_catches_exceptions():
    try:
        threading.Event().wait(30)
    except Exception:  # noqa: BLE001  (that it is not caught here is the point)
        pytest.fail("it was caught")


def in_the_body_of_a_class():
    """Python makes a RuntimeError of what is raised here, as it may be while a module is imported."""

    class Waits:
        def __set_name__(self, owner, name):
            threading.Event().wait(30)

    class Holds:
        waits = Waits()


def in_a_task_group():
    async def waits():
        threading.Event().wait(30)

    async def work():
        async with anyio.create_task_group() as group:
            group.start_soon(waits)

    asyncio.run(work())


def that_fails_to_tidy_up():
    try:
        threading.Event().wait(30)
    finally:
        raise ValueError


WORK = [
    blocking_child,
    waiting_for_an_event,
    in_an_event_loop,
    in_a_callback_of_an_event_loop,
    that_catches_exceptions,
    in_the_body_of_a_class,
    in_a_task_group,
    that_fails_to_tidy_up,
]


@pytest.mark.parametrize("does", WORK)
def test_the_end_of_the_process_is_no_failure_of_the_work(does, monkeypatch):
    """SIGTERM as a pool process takes it: a worker that lost its broker stops what it does that way."""
    monkeypatch.setattr(common, "_should_have_exited", [False])
    before = signal.signal(signal.SIGTERM, common._shutdown_cleanup)  # type: ignore[attr-defined]
    main = threading.main_thread().ident
    thread = threading.Timer(0.05, signal.pthread_kill, args=(main, signal.SIGTERM))
    try:
        thread.start()
        with pytest.raises(SystemExit), MainThread():
            does()
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("does", WORK)
def test_work_is_interrupted_wherever_it_waits(does):
    work = MainThread()
    thread = soon(work)
    with pytest.raises(Interrupted), work:
        does()
    thread.join()


def test_an_interruption_after_the_end_does_nothing():
    work = MainThread()
    with work:
        pass
    work.interrupt()
    signal.raise_signal(SIGNAL)


def test_a_late_interruption_does_not_hit_the_next_work():
    first, second = MainThread(), MainThread()
    with first:
        pass
    with second:
        first.interrupt()
        signal.raise_signal(SIGNAL)


def test_it_is_raised_inside_or_not_at_all_at_whatever_moment_it_comes():
    """The race at the end of the work, many times over: what follows the work is never hit."""
    written = interrupted = 0
    for _ in range(2000):
        work = MainThread()
        thread = threading.Thread(target=work.interrupt)
        try:
            with work:
                thread.start()
        except Interrupted:
            interrupted += 1
        else:
            written += 1
        thread.join()
    assert written + interrupted == 2000


def test_only_a_pool_process_takes_the_signal(monkeypatch):
    assert isinstance(interruption.interruption(), Uninterruptible)
    monkeypatch.setattr(pool_process, "_here", False)
    pool_process._begin(sender="w")
    assert isinstance(interruption.interruption(), MainThread)


def test_what_cannot_be_interrupted_is_let_finish():
    with Uninterruptible() as work:
        work.interrupt()
