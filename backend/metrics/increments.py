"""What each event of the history adds to which counter. Pure: events in, increments out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from backend.apps.workflows.former_names import current_name
from backend.metrics.catalogue import BUCKETS

Series = tuple[str, tuple[str, ...]]
"""A counter's name, and the values of its labels."""
ENDS = {"completed", "failed", "cancelled"}
ATTEMPTS = {
    "task_completed": "completed",
    "task_failed": "failed",
    "task_cancelled": "cancelled",
    "task_waits": "again",
    "task_handed_back": "handed_back",
}
PUSH = "export.export_to_"
DURATION = "repomill_attempt_seconds"


@dataclass(frozen=True)
class Event:
    """One line of a history, as far as it is counted."""

    execution_id: UUID
    kind: str
    step_id: str
    data: Mapping[str, Any]


def count(events: Iterable[Event], *, step_types: Mapping[tuple[UUID, str], str]) -> Counter[Series]:
    """Return what the events add. step_types: the type of each step that has ended, by execution and step id."""
    total: Counter[Series] = Counter()
    for event in events:
        noun, _, what = event.kind.partition("_")
        if event.kind == "execution_started":
            total["repomill_runs_started_total", ()] += 1
        elif noun == "execution" and what in ENDS:
            total["repomill_runs_total", (what,)] += 1
        elif noun == "step" and what in {*ENDS, "skipped"}:
            kind = step_types.get((event.execution_id, event.step_id), "unknown")
            total["repomill_steps_total", (kind, what)] += 1
        elif event.kind == "lease_expired":
            total["repomill_lease_takeovers_total", ()] += 1
        elif event.kind in ATTEMPTS:
            _count_attempt(total, event.data, ATTEMPTS[event.kind])
    return total


def count_attempt(total: Counter[Series], *, method: str, outcome: str, seconds: float | None) -> None:
    """Count one attempt, and the push that it was. seconds: how long it took, where that is known."""
    total["repomill_attempts_total", (method, outcome)] += 1
    if method.startswith(PUSH):
        total["repomill_pushes_total", (method.removeprefix(PUSH), outcome)] += 1
    if seconds is not None:
        # A series of each bucket that it falls into; the counts of a histogram are cumulative.
        for end in (*BUCKETS, float("inf")):
            if seconds <= end:
                total[f"{DURATION}_bucket", (method, str(end))] += 1
        # Milliseconds, since a Counter of whole numbers is exact.
        total[f"{DURATION}_sum", (method,)] += round(seconds * 1000)


def _count_attempt(total: Counter[Series], data: Mapping[str, Any], outcome: str) -> None:
    code = str((data.get("error") or {}).get("code", "unknown"))
    if outcome == "failed" and code == "in_doubt":
        outcome = "in_doubt"
    if outcome == "again":
        total["repomill_waits_total", (code,)] += 1
    seconds = data.get("duration") if outcome != "cancelled" else None
    count_attempt(total, method=current_name(str(data.get("method", "unknown"))), outcome=outcome, seconds=seconds)
