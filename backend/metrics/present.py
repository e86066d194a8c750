"""How things stand now: asked of the database, the broker and the workers when somebody wants to know.

The questions to the database are about what has not ended, which partial indexes hold: they cost the same however many
runs there have been.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, Count, Min, Q, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from backend.api.health import broker_answers, holds
from backend.apps.exports.services.pacing_store import Pacer, RedisUnavailable, accounts
from backend.apps.workflows.models import TaskExecution
from backend.config.celery import app
from backend.config.live_workers import queues, workers
from backend.metrics.increments import Series

Status = TaskExecution.Status
UNANSWERED = (OperationalError, RedisError, OSError)


def of_tasks(*, now: datetime) -> dict[Series, float]:
    """Return how many tasks wait, run or are parked, and how long the oldest has waited."""
    found: dict[Series, float] = {}
    for queue in queues():
        for name in ("tasks_waiting", "tasks_blocked", "tasks_running", "queue_oldest_seconds"):
            found[f"repomill_{name}", (queue,)] = 0.0
    for row in _pending(now):
        queue, number = _queue(row["method"]), row["number"]
        state = "repomill_tasks", (row["method"], row["state"])
        found[state] = found.get(state, 0) + number
        if row["state"] == "waiting":
            found["repomill_tasks_waiting", (queue,)] = found.get(("repomill_tasks_waiting", (queue,)), 0) + number
            age = (now - row["earliest"]).total_seconds() if row["earliest"] else 0.0
            oldest = "repomill_queue_oldest_seconds", (queue,)
            found[oldest] = max(found.get(oldest, 0.0), age)
        elif row["state"] == "blocked":
            found["repomill_tasks_blocked", (queue,)] = found.get(("repomill_tasks_blocked", (queue,)), 0) + number
        else:
            reason = "paused" if row["state"] == "paused" else row["code"]
            found["repomill_tasks_parked", (reason,)] = found.get(("repomill_tasks_parked", (reason,)), 0) + number
    expired = 0
    for row in _running(now):
        for key in (
            ("repomill_tasks_running", (_queue(row["method"]),)),
            ("repomill_tasks", (row["method"], "running")),
        ):
            found[key] = found.get(key, 0) + row["number"]
        expired += row["expired"]
    found["repomill_leases_expired", ()] = expired
    found["repomill_runs_in_flight", ()] = _in_flight()
    return found


def _pending(now: datetime) -> Iterator[Mapping[str, Any]]:
    state = Case(
        When(execution__paused_at__isnull=False, then=Value("paused")),
        When(not_before__gt=now, then=Value("parked")),
        When(ready=False, then=Value("blocked")),
        default=Value("waiting"),
        output_field=CharField(),
    )
    code = Coalesce(KeyTextTransform("code", "error"), Value("later"), output_field=CharField())
    grouped = TaskExecution.objects.filter(status=Status.PENDING).order_by().annotate(state=state, code=code)
    rows = grouped.values("method", "state", "code")
    yield from rows.annotate(number=Count("pk"), earliest=Min(Coalesce("published_at", "next_publish_at")))


def _running(now: datetime) -> Iterator[Mapping[str, Any]]:
    running = TaskExecution.objects.filter(status=Status.RUNNING).order_by().values("method")
    yield from running.annotate(number=Count("pk"), expired=Count("pk", filter=Q(lease_expires_at__lt=now)))


def _in_flight() -> int:
    # A union and not one question with OR, for which no partial index serves.
    waiting, running = (
        TaskExecution.objects.filter(status=status).order_by().values_list("execution")
        for status in (Status.PENDING, Status.RUNNING)
    )
    return len({execution for (execution,) in waiting.union(running)} - {None})


def _queue(method: str) -> str:
    return method.partition(".")[0]


def of_broker() -> dict[Series, float]:
    """Return whether the broker answers, and how many messages wait in it."""
    # Asked first with a limit of its own: a question to one that is silent would be waited for without an end.
    if not holds("broker", broker_answers):
        return {("repomill_broker_up", ()): 0.0}
    found: dict[Series, float] = {("repomill_broker_up", ()): 0.0}
    try:
        pool: Any = app.pool
        with pool.acquire(block=True, timeout=1.0) as connection:
            connection.ensure_connection(max_retries=1)
            channel: Any = connection.default_channel
            for queue in queues():
                try:
                    waiting = channel.queue_declare(queue=queue, passive=True).message_count
                except connection.channel_errors:
                    # Redis keeps no empty list, and so knows no empty queue.
                    waiting = 0
                found["repomill_broker_messages", (queue,)] = float(waiting)
    except UNANSWERED:
        return {("repomill_broker_up", ()): 0.0}
    found["repomill_broker_up", ()] = 1.0
    return found


def of_broker_and_workers() -> dict[Series, float]:
    """Return both; a broker that does not answer is not asked for the workers behind it."""
    found = of_broker()
    if found["repomill_broker_up", ()]:
        return found | of_workers()
    return found | {("repomill_workers", (queue,)): 0.0 for queue in queues()}


def of_quotas(*, now: datetime) -> dict[Series, float]:
    """Return what is left of hosts' limits, by credential; nothing where Redis does not answer.

    Of tokens that were given with single runs, which have no name, the one with the least left is told.
    """
    found: dict[Series, float] = {}
    try:
        for name, account in accounts():
            pacer = Pacer(account, clock=now.timestamp)
            for limit, left in pacer.left().items():
                key = "repomill_quota_left", (account.kind, name, limit)
                found[key] = min(found.get(key, left), left)
            wait = "repomill_quota_wait_seconds", (account.kind, name)
            found[wait] = max(found.get(wait, 0.0), pacer.state().blocked_until - now.timestamp(), 0.0)
    except (RedisUnavailable, *UNANSWERED):
        return {}
    return found


def of_workers() -> dict[Series, float]:
    """Return how many workers serve each queue."""
    return {("repomill_workers", (queue,)): float(number) for queue, number in workers.serving().items()}


def of_beat(*, now: datetime) -> dict[Series, float]:
    """Return how long ago beat sent for the reconciler; nothing where it never has."""
    from django_celery_beat.models import PeriodicTask

    last = PeriodicTask.objects.filter(name="reconcile").values_list("last_run_at", flat=True).first()
    if last is None:
        return {}
    return {("repomill_beat_age_seconds", ()): max(0.0, (now - last).total_seconds())}
