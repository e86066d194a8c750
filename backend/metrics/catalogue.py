"""Every metric that Repomill gives, its labels and what it tells. Dashboard, alerts and guide are checked by it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """One metric. A counter's `name` ends in `_total`, as Prometheus shows it."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Upper ends of the buckets of `repomill_attempt_seconds`."""

METRICS = (
    Metric("repomill_runs_started_total", Kind.COUNTER, (), "Runs that were started."),
    Metric("repomill_runs_total", Kind.COUNTER, ("outcome",), "Runs that ended, by how: completed, failed, cancelled."),
    Metric("repomill_steps_total", Kind.COUNTER, ("type", "outcome"), "Steps that ended, by step type and how."),
    Metric(
        "repomill_attempts_total",
        Kind.COUNTER,
        ("method", "outcome"),
        "Attempts of tasks, by method and how they ended: completed, failed, in_doubt, cancelled, again, handed_back.",
    ),
    Metric("repomill_attempt_seconds", Kind.HISTOGRAM, ("method",), "How long attempts took that ended by themselves."),
    Metric("repomill_waits_total", Kind.COUNTER, ("reason",), "Attempts that are to be repeated later, by error code."),
    Metric(
        "repomill_lease_takeovers_total", Kind.COUNTER, (), "Leases that ran out: work that was lost with a worker."
    ),
    Metric("repomill_generated_files_total", Kind.COUNTER, (), "Files in the generations of runs that ended."),
    Metric("repomill_generated_bytes_total", Kind.COUNTER, (), "Bytes in the generations of runs that ended."),
    Metric("repomill_pushes_total", Kind.COUNTER, ("host", "result"), "Pushes to hosts, by host and how they ended."),
    Metric("repomill_runs_in_flight", Kind.GAUGE, (), "Runs with a task that waits or runs."),
    Metric(
        "repomill_tasks",
        Kind.GAUGE,
        ("method", "state"),
        "Tasks that have not ended, by method and state: waiting, blocked, parked, paused, running.",
    ),
    Metric("repomill_tasks_waiting", Kind.GAUGE, ("queue",), "Tasks that could run now and wait for a worker."),
    Metric("repomill_tasks_blocked", Kind.GAUGE, ("queue",), "Tasks that wait for an earlier link of their chain."),
    Metric("repomill_tasks_running", Kind.GAUGE, ("queue",), "Tasks that a worker has claimed."),
    Metric("repomill_tasks_parked", Kind.GAUGE, ("reason",), "Tasks that wait for a later time, or for a person."),
    Metric("repomill_queue_oldest_seconds", Kind.GAUGE, ("queue",), "How long the oldest waiting task has waited."),
    Metric("repomill_leases_expired", Kind.GAUGE, (), "Running tasks whose lease is over: the reconciler is behind."),
    Metric(
        "repomill_quota_left",
        Kind.GAUGE,
        ("host", "credential", "limit"),
        "What is left of a host's limits for a credential that was used of late.",
    ),
    Metric(
        "repomill_quota_wait_seconds",
        Kind.GAUGE,
        ("host", "credential"),
        "For how long a host has asked that nothing be sent.",
    ),
    Metric("repomill_broker_up", Kind.GAUGE, (), "Whether the broker answers."),
    Metric("repomill_broker_messages", Kind.GAUGE, ("queue",), "Messages that wait in the broker."),
    Metric("repomill_workers", Kind.GAUGE, ("queue",), "Workers that serve the queue and answer."),
    Metric("repomill_beat_age_seconds", Kind.GAUGE, (), "Time since beat last sent for the reconciler."),
    Metric("repomill_history_behind_events", Kind.GAUGE, (), "Events of the history that are not counted yet."),
)

BY_NAME = {metric.name: metric for metric in METRICS}
