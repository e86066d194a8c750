"""What a scrape finds: the counters of the history, and how things stand."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from backend.apps.workflows.execution.events import History
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.config.secret_files import read_or_create
from backend.metrics import counting, present
from backend.metrics.catalogue import BY_NAME, METRICS
from backend.metrics.exposition import exposition
from backend.metrics.models import Count
from tests.unit.metrics.conftest import start_run

pytestmark = pytest.mark.django_db
LABELS = ("type", "method", "host", "credential", "limit", "outcome", "result", "reason", "queue", "state")
Values = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events count as settled at once; each test is one transaction anyway."""
    monkeypatch.setattr(counting, "SETTLING", timedelta(0))


def scrape(*, later: float = 0.0) -> Values:
    """Return what a scrape gives, as Prometheus reads it."""
    text = exposition(now=timezone.now() + timedelta(seconds=later)).decode()
    return {
        (sample.name, tuple(sample.labels[name] for name in LABELS if name in sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def note(execution: WorkflowExecution, kind: str, **data: Any) -> None:
    history = History(execution.pk)
    history.add(kind, step_id="ask", **data)
    history.write()


def test_counting_begins_at_the_first_scrape_and_counts_each_event_once(execution: WorkflowExecution) -> None:
    assert scrape()["repomill_runs_started_total", ()] == 0
    start_run(execution.user)
    note(execution, "task_completed", method="agents.call", duration=0.3)
    note(execution, "step_completed")
    for _ in range(2):
        found = scrape()
        assert found["repomill_runs_started_total", ()] == 1
        assert found["repomill_attempts_total", ("agents.call", "completed")] == 1
        assert found["repomill_steps_total", ("api_call", "completed")] == 1
        assert found["repomill_attempt_seconds_count", ("agents.call",)] == 1
        assert found["repomill_attempt_seconds_sum", ("agents.call",)] == 0.3
        assert found["repomill_history_behind_events", ()] == 0


def test_who_counts_beside_another_adds_nothing(execution: WorkflowExecution, monkeypatch: pytest.MonkeyPatch) -> None:
    scrape()
    note(execution, "lease_expired")
    before = counting._position

    def earlier(source: str, beginning: str) -> str:
        # Another process has counted between our reading of the position and our moving it on.
        found = before(source, beginning)
        return str(int(found) - 1) if source == counting.HISTORY else found

    with monkeypatch.context() as patch:
        patch.setattr(counting, "_position", earlier)
        counting.catch_up(now=timezone.now())
    assert not Count.objects.filter(name="repomill_lease_takeovers_total").exists()
    assert scrape()["repomill_lease_takeovers_total", ()] == 1


def test_tasks_of_no_run_are_counted_too(execution: WorkflowExecution) -> None:
    scrape()
    done = timezone.now() + timedelta(seconds=1)
    TaskExecution.objects.create(
        key="single",
        method="export.export_to_github",
        user=execution.user,
        status="completed",
        started_at=done - timedelta(seconds=2),
        completed_at=done,
    )
    for _ in range(2):
        found = scrape(later=5)
        assert found["repomill_pushes_total", ("github", "completed")] == 1
        assert found["repomill_attempt_seconds_sum", ("export.export_to_github",)] == 2


def test_where_tasks_stand(execution: WorkflowExecution) -> None:
    user = execution.user
    waiting = execution.tasks.get()
    others: list[dict[str, Any]] = [
        {"status": "running", "lease_expires_at": timezone.now() - timedelta(seconds=1)},
        {"not_before": timezone.now() + timedelta(hours=1), "error": {"code": "rate_limited"}},
        {"ready": False, "published_at": None, "next_publish_at": None},
    ]
    for changes in others:
        TaskExecution.objects.filter(pk=start_run(user).tasks.get().pk).update(**changes)
    WorkflowExecution.objects.filter(pk=start_run(user).pk).update(paused_at=timezone.now())
    found = scrape(later=30)
    assert found["repomill_tasks_waiting", ("agents",)] == 1
    assert found["repomill_tasks_waiting", ("export",)] == 0
    assert found["repomill_tasks_running", ("agents",)] == 1
    assert found["repomill_tasks_blocked", ("agents",)] == 1
    assert found["repomill_tasks_parked", ("rate_limited",)] == 1
    assert found["repomill_tasks_parked", ("paused",)] == 1
    assert found["repomill_tasks", ("agents.call", "waiting")] == 1
    assert found["repomill_tasks", ("agents.call", "running")] == 1
    assert found["repomill_tasks", ("agents.call", "paused")] == 1
    assert found["repomill_leases_expired", ()] == 1
    assert found["repomill_runs_in_flight", ()] == 5
    assert 30 <= found["repomill_queue_oldest_seconds", ("agents",)] < 60
    # The broker took none of it: it waits since it was to be sent.
    late = timezone.now() - timedelta(seconds=80)
    TaskExecution.objects.filter(pk=waiting.pk).update(published_at=None, next_publish_at=late)
    assert 80 <= scrape()["repomill_queue_oldest_seconds", ("agents",)] < 95


def test_every_metric_is_in_the_catalogue_and_carries_its_labels(execution: WorkflowExecution) -> None:
    scrape()
    note(execution, "task_waits", method="export.export_to_git", error={"code": "rate_limited"}, duration=1.0)
    text = exposition(now=timezone.now()).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for metric in METRICS:
        assert metric.name.removesuffix("_total") in families, metric.name
    for family in families.values():
        if family.name.startswith("repomill_web_"):
            continue
        known = BY_NAME.get(family.name) or BY_NAME[f"{family.name}_total"]
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(known.labels), sample
    assert "unseen-word" not in text


def test_what_does_not_end_is_found_by_partial_indexes(execution: WorkflowExecution) -> None:
    """However many runs have ended, a scrape looks at those that have not."""
    scrape()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        scrape()
    tables = [query["sql"] for query in captured if '"workflows_taskexecution"' in query["sql"]]
    assert tables
    for sql in tables:
        # Without rows that say otherwise PostgreSQL reads the few pages as they lie.
        assert '"status"' in sql or "completed_at" in sql, sql
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN QUERY PLAN " + sql)
                plan = " | ".join(str(row[-1]) for row in cursor.fetchall())
            assert "INDEX task_" in plan, (sql, plan)


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_what_the_database_does_not_say_is_left_out(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*, now: datetime) -> Values:
        raise error("connection already closed")

    whole = set(scrape())
    monkeypatch.setattr(present, "of_tasks", gone)
    told = set(scrape())
    assert told < whole
    assert {name for name, _ in told} >= {"repomill_history_behind_events"}


def test_only_who_has_the_token_reads_them(client: Client, settings: LazySettings) -> None:
    token = read_or_create(settings.ENVIRONMENT.secrets_dir, "metrics_token")
    for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": token}, {"Authorization": "Bearer ü"}):
        refused = client.get("/metrics", headers=given)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "repomill_runs_in_flight 0.0" in answer.text
