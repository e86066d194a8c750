"""How a broker that has lost everything is told from one that is merely slow or away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from backend.apps.workflows import publishing
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.publishing import (
    broker_has_forgotten,
    mark_broker,
    oldest_waiting,
    publish_chain,
    queue_of,
)
from backend.cli.stack.broker import EmbeddedBroker, ask

pytestmark = pytest.mark.integration


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path) as broker, Celery("t", broker=broker.url, set_as_current=False) as app:
        app.config_from_object("celeryconfig")
        app.conf.update(broker_url=broker.url)
        monkeypatch.setattr(publishing, "app", app)
        publishing.queue_of.cache_clear()
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


def test_the_broker_says_what_has_waited_longest_in_each_queue(broker: EmbeddedBroker):
    first, second = (TaskExecution(method="export.export_to_git", description="demo") for _ in range(2))
    assert oldest_waiting() == {}
    assert publish_chain([first])
    assert publish_chain([second])
    assert queue_of(first.method) == "export"
    assert oldest_waiting() == {"export": str(first.pk)}
    ask(broker.socket, "RPOP", "export")
    assert oldest_waiting() == {"export": str(second.pk)}
    ask(broker.socket, "RPUSH", "export", "nobody can read this")
    assert oldest_waiting() == {"export": ""}
    ask(broker.socket, "FLUSHALL")
    assert oldest_waiting() == {}
    broker.stop()
    assert oldest_waiting() is None


def test_a_dead_broker_is_given_up_at_once(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch):
    """By default it is six seconds: long enough to hold up a web request, and a pool process for each link."""
    broker.stop()
    slept: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", slept.append)
    assert not publish_chain([TaskExecution(method="agents.call", description="demo")])
    assert not broker_has_forgotten()
    assert sum(slept) < 1
