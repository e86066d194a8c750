"""The file that tells that a worker lives: touched while it has its broker, left to grow old when not."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.config.environment import load
from workers import liveness
from workers.consumer import Consumer


class Timer:
    """A timer whose clock stands still until a test lets it go on."""

    def __init__(self) -> None:
        self.repeated: list[Any] = []

    def call_repeatedly(self, pause: float, callback: Any) -> Any:
        assert pause == liveness.PAUSE
        self.repeated.append(callback)
        return SimpleNamespace(cancel=self.repeated.clear)

    def go_on(self) -> None:
        for callback in self.repeated:
            callback()


@pytest.fixture
def consumer() -> Any:
    return SimpleNamespace(timer=Timer())


def step(monkeypatch: pytest.MonkeyPatch, consumer: Any, file: Path | None) -> liveness.Liveness:
    monkeypatch.setattr(liveness, "load", lambda: replace(load(), alive_file=file))
    return liveness.Liveness(consumer)


def test_it_is_one_of_the_steps_of_our_consumer() -> None:
    assert liveness.Liveness in Consumer.Blueprint.default_steps


def test_the_file_is_touched_while_the_broker_is_there(
    monkeypatch: pytest.MonkeyPatch, consumer: Any, tmp_path: Path
) -> None:
    file = tmp_path / "alive"
    made = step(monkeypatch, consumer, file)
    assert made.enabled
    made.start(consumer)
    assert file.exists()
    file.unlink()
    consumer.timer.go_on()
    assert file.exists()
    made.stop(consumer)
    file.unlink()
    consumer.timer.go_on()
    assert not file.exists()


def test_without_a_file_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch, consumer: Any) -> None:
    assert not step(monkeypatch, consumer, None).enabled
