"""How a broker that has lost everything is told from one that is merely slow or away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from backend.apps.workflows import publishing
from backend.apps.workflows.publishing import broker_has_forgotten, mark_broker
from backend.cli.stack.broker import EmbeddedBroker, ask

pytestmark = pytest.mark.integration


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path) as broker, Celery("t", broker=broker.url, set_as_current=False) as app:
        monkeypatch.setattr(publishing, "app", app)
        yield broker
        pool: Any = app.pool
        pool.force_close_all()


def test_a_flush_is_noticed_once(broker: EmbeddedBroker):
    assert broker_has_forgotten()
    mark_broker()
    assert not broker_has_forgotten()
    ask(broker.socket, "FLUSHALL")
    assert broker_has_forgotten()
    mark_broker()
    assert not broker_has_forgotten()


def test_a_restart_forgets_nothing(broker: EmbeddedBroker):
    mark_broker()
    broker.stop()
    broker.start()
    assert not broker_has_forgotten()


def test_a_broker_that_is_away_has_forgotten_nothing_yet(broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture):
    mark_broker()
    broker.stop()
    assert not broker_has_forgotten()
    mark_broker()
    assert "the broker took no mark" in caplog.text


def test_another_kind_of_broker_keeps_no_mark(monkeypatch: pytest.MonkeyPatch):
    with Celery("t", broker="memory://", set_as_current=False) as app:
        monkeypatch.setattr(publishing, "app", app)
        assert not broker_has_forgotten()
