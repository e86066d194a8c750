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
    fronts,
    mark_broker,
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


def test_the_broker_shows_what_waits_at_the_front_of_each_queue(broker: EmbeddedBroker):
    first, second, third = (TaskExecution(method="export.export_to_git", description="demo") for _ in range(3))
    assert set(_seen().values()) == {publishing.Front((), whole=True)}
    for task in (first, second):
        assert publish_chain([task])
    assert queue_of(first.method) == "export"
    assert _seen()["export"] == publishing.Front((str(first.pk), str(second.pk)), whole=True)
    assert _seen()["generation"] == publishing.Front((), whole=True)
    ask(broker.socket, "RPOP", "export")
    assert _seen()["export"].tasks == (str(second.pk),)
    assert publish_chain([third])
    ask(broker.socket, "RPUSH", "export", "nobody can read this")
    assert _seen()["export"].tasks == ("", str(second.pk), str(third.pk))
    broker.stop()
    assert fronts() is None


def test_of_a_long_queue_the_front_is_shown(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(publishing, "FRONT", 2)
    tasks = [TaskExecution(method="agents.call", description="demo") for _ in range(3)]
    for number, task in enumerate(tasks):
        assert publish_chain([task])
        seen = _seen()["agents"]
        assert seen.tasks == tuple(str(each.pk) for each in tasks[: number + 1][:2])
        assert seen.whole == (number < 2)


def _seen() -> dict[str, publishing.Front]:
    seen = fronts()
    assert seen is not None
    return seen


def test_a_dead_broker_is_given_up_at_once(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch):
    """By default it is six seconds: long enough to hold up a web request, and a pool process for each link."""
    broker.stop()
    slept: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", slept.append)
    assert not publish_chain([TaskExecution(method="agents.call", description="demo")])
    assert not broker_has_forgotten()
    assert sum(slept) < 1
