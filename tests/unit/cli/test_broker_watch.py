"""A broker that ends is started again, unless it cannot stay up."""

from __future__ import annotations

import pytest

from backend.cli.stack.broker_watch import BrokerWatch
from backend.cli.stack.restarts import MOST_ENDS, WITHIN_SECONDS, Restarts
from backend.errors import TemporaryFailure


class Broker:
    """A broker whose server ends when the test says so."""

    def __init__(self) -> None:
        self.ended: int | None = None
        self.started = 0
        self.refusal: TemporaryFailure | None = None

    def start_again(self) -> None:
        """Start, or refuse."""
        if self.refusal:
            raise self.refusal
        self.started += 1
        self.ended = None


class Scene:
    """A watch with everything it is given."""

    def __init__(self) -> None:
        self.broker = Broker()
        self.said: list[str] = []
        self.given_up: list[int] = []
        self.now = 0.0
        self.watch = BrokerWatch(
            self.broker,  # type: ignore[arg-type]
            Restarts(clock=lambda: self.now),
            announce=self.said.append,
            give_up=self.given_up.append,
        )

    def end_and_look(self, status: int = -9) -> None:
        """End the server, and let the watch look once."""
        self.broker.ended = status
        self.watch.look()


@pytest.fixture
def scene() -> Scene:
    """A watch over a broker that runs."""
    return Scene()


def test_a_running_broker_is_left_alone(scene: Scene) -> None:
    scene.watch.look()
    assert (scene.broker.started, scene.said) == (0, [])


def test_one_that_ended_is_started_again_and_it_is_said(scene: Scene) -> None:
    scene.end_and_look(-9)
    assert scene.broker.started == 1
    assert "status -9" in scene.said[0]
    assert scene.given_up == []


def test_one_that_does_not_stay_up_is_given_up(scene: Scene) -> None:
    for _ in range(MOST_ENDS):
        scene.end_and_look(1)
        scene.now += 1
    assert scene.broker.started == MOST_ENDS - 1
    assert scene.given_up == [1]


def test_one_that_ends_now_and_then_is_started_each_time(scene: Scene) -> None:
    for _ in range(3 * MOST_ENDS):
        scene.end_and_look()
        scene.now += WITHIN_SECONDS / (MOST_ENDS - 1)
    assert scene.broker.started == 3 * MOST_ENDS
    assert scene.given_up == []


def test_one_that_cannot_be_started_is_given_up_with_the_reason(scene: Scene) -> None:
    scene.broker.refusal = TemporaryFailure("The broker of an earlier start still runs.")
    scene.end_and_look()
    assert scene.given_up == [-9]
    assert "still runs" in scene.said[0]
