"""Interrupting the main thread, by real signals."""

import asyncio
import signal
import subprocess
import sys
import threading

import pytest

from backend.apps.workflows.execution.interruption import Interrupted, Uninterruptible
from workers import interruption
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


@pytest.mark.parametrize(
    "does",
    [blocking_child, waiting_for_an_event, in_an_event_loop, in_a_callback_of_an_event_loop, that_catches_exceptions],
)
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
    monkeypatch.setattr(interruption, "_pool_process", False)
    interruption._begin(sender="w")
    assert isinstance(interruption.interruption(), MainThread)


def test_what_cannot_be_interrupted_is_let_finish():
    with Uninterruptible() as work:
        work.interrupt()
