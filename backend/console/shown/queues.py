"""The queues as a person looks at them, made of the same values that Prometheus reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend.metrics.increments import Series

NAMES = {
    "generation": "generates, packages",
    "export": "delivers",
    "agents": "calls APIs",
    "bulk": "bulk exports",
    "maintenance": "keeps house",
}


@dataclass(frozen=True)
class Queue:
    """One queue. oldest: seconds that its oldest task has waited. broker: messages in it; None where nobody knows."""

    name: str
    about: str
    waiting: int
    running: int
    blocked: int
    oldest: float
    workers: int
    broker: int | None

    @property
    def status(self) -> str:
        """Whether somebody serves it."""
        if self.workers:
            return "ok"
        return "down" if self.waiting or self.broker else "degraded"


def queues_of(names: list[str], values: Mapping[Series, float]) -> list[Queue]:
    """Return the queues of these names."""

    def value(metric: str, name: str) -> int:
        return int(values.get((f"repomill_{metric}", (name,)), 0))

    return [
        Queue(
            name=name,
            about=NAMES.get(name, ""),
            waiting=value("tasks_waiting", name),
            running=value("tasks_running", name),
            blocked=value("tasks_blocked", name),
            oldest=values.get(("repomill_queue_oldest_seconds", (name,)), 0.0),
            workers=value("workers", name),
            broker=value("broker_messages", name) if ("repomill_broker_messages", (name,)) in values else None,
        )
        for name in names
    ]
