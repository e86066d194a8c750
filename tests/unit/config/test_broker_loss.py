"""A lost connection keeps the messages it holds, and one that is there gives them back."""

from __future__ import annotations

from typing import Any

import pytest
from kombu import Connection, Queue
from kombu.transport.virtual.base import QoS

from backend.config.broker_loss import survive_broker_loss


@pytest.fixture(autouse=True)
def _as_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QoS, "restore_unacked_once", QoS.restore_unacked_once)
    survive_broker_loss()


def held(name: str) -> tuple[Any, Queue]:
    """Return a channel that has taken a message and not acknowledged it, and the message's queue."""
    connection = Connection("memory://")
    channel: Any = connection.default_channel
    channel.do_restore = True
    queue = Queue(name, channel=channel)
    queue.declare()
    connection.Producer().publish("work", routing_key=name)
    assert queue.get() is not None
    return channel, queue


def left_in(queue: Queue) -> bool:
    with Connection("memory://") as other:
        return queue.bind(other.default_channel).get() is not None


def test_one_that_is_there_gives_back_what_it_holds() -> None:
    channel, queue = held("there")
    channel.close()
    assert left_in(queue)


def test_one_that_is_gone_keeps_it_and_raises_nothing() -> None:
    channel, queue = held("gone")
    channel.connection.client = None
    channel.close()
    assert not left_in(queue)
    # Else the interpreter gives it back when it ends.
    channel.qos._delivered.clear()
