"""A broker that takes connections and answers nothing is told, and not waited for."""

from __future__ import annotations

import socket

import pytest

from backend.config.celery import app
from backend.config.live_workers import queues
from backend.metrics import present


def test_a_silent_broker_is_down_and_nothing_else_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setitem(app.conf, "broker_url", f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        # What would be asked next has no limit: a test that comes so far must not hang.
        monkeypatch.setattr(type(app), "pool", property(lambda _: pytest.fail("asked without a limit")))
        monkeypatch.setattr(app.control, "inspect", lambda **_: pytest.fail("asked without a limit"))
        found = present.of_broker_and_workers()
    assert found["repomill_broker_up", ()] == 0.0
    assert [found["repomill_workers", (queue,)] for queue in queues()] == [0.0] * len(queues())
