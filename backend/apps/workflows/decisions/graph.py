"""Decides which steps of an execution start, which are skipped, and when the whole has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend.apps.workflows.definitions.definition import Definition, Step

OPEN = {"pending", "running"}


@dataclass(frozen=True)
class StepState:
    """Where a step stands.

    blocked: it was skipped because a step it depends on failed, rather than by its own condition.
    """

    status: str
    blocked: bool = False


@dataclass(frozen=True)
class Next:
    """What happens next.

    start: ids of the steps that can start now.
    skip: (id, reason) of the steps that never can.
    outcome: `completed` or `failed` once nothing is left to do, else None.
    """

    start: tuple[str, ...] = ()
    skip: tuple[tuple[str, str], ...] = ()
    outcome: str | None = None


def decide_next(definition: Definition, states: Mapping[str, StepState]) -> Next:
    """Decide what follows from where the steps stand.

    A step starts when every step it depends on has completed, was skipped by its own condition, or failed with
    `continue_on_error`. It is skipped when one of them failed or was skipped for such a failure.
    """
    by_id = definition.by_id
    now = dict(states)
    start: list[str] = []
    skip: list[tuple[str, str]] = []
    for step in definition.in_order:
        if now[step.id].status != "pending":
            continue
        verdicts = {name: _verdict(by_id[name], now[name]) for name in step.depends_on}
        if broken := [name for name, verdict in verdicts.items() if verdict == "broken"]:
            skip.append((step.id, f"it depends on {broken[0]!r}, which {_fate(now[broken[0]])}"))
            now[step.id] = StepState("skipped", blocked=True)
        elif all(verdict == "done" for verdict in verdicts.values()):
            start.append(step.id)
    if start or any(state.status in OPEN for state in now.values()):
        return Next(tuple(start), tuple(skip))
    failed = any(
        state.status in {"failed", "cancelled"} and not by_id[name].continue_on_error for name, state in now.items()
    )
    return Next((), tuple(skip), "failed" if failed else "completed")


def _verdict(step: Step, state: StepState) -> str:
    if state.status in OPEN:
        return "open"
    if state.status in {"failed", "cancelled"}:
        return "done" if step.continue_on_error else "broken"
    return "broken" if state.blocked else "done"


def _fate(state: StepState) -> str:
    return "was skipped" if state.status == "skipped" else state.status if state.status == "failed" else "was cancelled"
