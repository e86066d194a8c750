"""The worker's consumer sends its events together, and keeps none back at its end."""

from typing import Any
from unittest.mock import Mock

import pytest
from celery.worker.consumer import Consumer as CelerysConsumer

import celeryconfig
from backend.apps.workflows import former_names
from backend.config.celery import app
from workers.consumer import PAUSE, Consumer


class Hub:
    """An event loop whose clock stands still until a test lets it go on."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Any]] = []

    def call_later(self, delay: float, callback: Any) -> None:
        self.due.append((delay, callback))

    def go_on(self) -> None:
        due, self.due = self.due, []
        for _, callback in due:
            callback()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(CelerysConsumer, "__init__", lambda self: None)
    monkeypatch.setattr(CelerysConsumer, "shutdown", lambda self: self.event_dispatcher.close())
    made: Any = Consumer()
    made.hub = Hub()
    made.event_dispatcher = Mock()
    return made


def test_it_is_the_one_that_workers_use():
    assert celeryconfig.worker_consumer == "workers.consumer:Consumer"
    assert app.conf.worker_consumer == celeryconfig.worker_consumer


def test_what_happens_in_one_moment_is_sent_in_one_message(made):
    for _ in range(2):
        for _ in range(5):
            made.on_send_event_buffered()
        assert [delay for delay, _ in made.hub.due] == [PAUSE]
        assert made.event_dispatcher.flush.call_count == 0
        made.hub.go_on()
        assert made.event_dispatcher.flush.call_count == 1
        made.event_dispatcher.flush.reset_mock()


def test_nothing_is_kept_back_at_the_end(made):
    made.on_send_event_buffered()
    made.shutdown()
    assert [call[0] for call in made.event_dispatcher.method_calls] == ["flush", "close"]


def test_a_pool_without_a_loop_collects_nothing(made):
    made.hub = None
    made.on_send_event_buffered()


def test_a_message_with_a_former_name_is_taken_with_the_present_one(made, monkeypatch):
    monkeypatch.setitem(former_names.FORMER_NAMES, "generation.make", "generation.generate")
    taken: list[Any] = []
    monkeypatch.setattr(CelerysConsumer, "create_task_handler", lambda self: taken.append)
    take = made.create_task_handler()
    for name in ("generation.make", "generation.generate", "strange"):
        take(Mock(headers={"task": name, "argsrepr": f"shop · {name}"}))
    take(Mock(headers=None))
    assert [message.headers and message.headers["task"] for message in taken] == [
        "generation.generate",
        "generation.generate",
        "strange",
        None,
    ]
    assert taken[0].headers["argsrepr"] == "shop · generation.generate"
    assert taken[2].headers["argsrepr"] == "shop · strange"
