"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import OperationalError
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from backend.api import health
from backend.config.celery import app
from backend.config.live_workers import queues, workers


def test_a_process_that_answers_lives() -> None:
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]
    assert Client().post("/healthz").status_code == 405


def test_ready_when_everything_answers(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "broker_answers", lambda: True)
    served = dict.fromkeys(queues(), 1)
    monkeypatch.setattr(workers, "serving", lambda: served)
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "failing": [], "queues": served, "queues_without_workers": []}


def test_a_queue_without_a_worker_is_told_and_takes_nothing_out_of_service(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "broker_answers", lambda: True)
    monkeypatch.setattr(workers, "serving", lambda: {"export": 0, "agents": 2})
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["queues_without_workers"] == ["export"]


def test_a_storage_that_cannot_be_written_is_named(
    db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: LazySettings
) -> None:
    monkeypatch.setattr(health, "broker_answers", lambda: True)
    monkeypatch.setattr(workers, "serving", dict)
    assert Client().get("/readyz").json()["failing"] == []
    (tmp_path / "file").write_text("no folder")
    settings.ARCHIVES_DIR = tmp_path / "file" / "archives"
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["failing"]) == (503, ["storage"])


@pytest.mark.parametrize("name", ["database_answers", "migrations_are_applied"])
@pytest.mark.parametrize("failure", [False, OperationalError("password=hunter2")])
def test_what_does_not_work_is_named(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, failure: Any
) -> None:
    def check() -> bool:
        if isinstance(failure, Exception):
            raise failure
        return bool(failure)

    monkeypatch.setattr(health, "broker_answers", lambda: True)
    monkeypatch.setattr(workers, "serving", dict)
    monkeypatch.setattr(health, name, check)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert (answer.json()["status"], answer.json()["failing"]) == ("unavailable", [name.split("_")[0]])
    assert b"hunter2" not in answer.content
    assert "hunter2" not in caplog.text


def test_a_broker_that_is_not_there_is_named(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(app.conf, "broker_url", f"redis+socket://{tmp_path}/none.sock?virtual_host=0")
    answer = Client().get("/readyz")
    assert answer.json()["failing"] == ["broker"]


def test_a_migration_that_is_missing_is_seen(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert health.migrations_are_applied()
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: [("api", "0002")])
    assert not health.migrations_are_applied()
