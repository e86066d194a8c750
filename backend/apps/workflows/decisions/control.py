"""Decides what may be done to an execution, a step or a task as it stands, and what becomes of its steps.

It looks at words and returns a Refusal or None; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from backend.apps.workflows.decisions.graph import StepState
from backend.apps.workflows.definitions.definition import Definition

RERUN: Final = "Start it once more with: repomill rerun RUN"
SETTLE: Final = "Look whether it happened, then: repomill resolve TASK --done, or --retry"
ENDED: Final = {"completed", "failed", "cancelled"}


@dataclass(frozen=True)
class Refusal:
    """Why something may not be done now, as a sentence, and what to do instead."""

    reason: str
    hint: str | None = None


@dataclass(frozen=True)
class Reopening:
    """Which steps are done again.

    reopen: failed or cancelled steps, which go on at their first unfinished link.
    unblock: steps that were skipped because of those, which wait for their turn again.
    """

    reopen: tuple[str, ...]
    unblock: tuple[str, ...]


def standing(*, status: str, paused: bool, cancelling: bool) -> str:
    """Return where an execution stands in one word: its status, or what refines `running`: paused, cancelling."""
    if status != "running":
        return status
    return "cancelling" if cancelling else "paused" if paused else status


_PAUSE: Final[Mapping[str, Refusal]] = {
    "paused": Refusal("The execution is paused already.", "Let it go on with: repomill resume RUN"),
    "cancelling": Refusal("The execution is being cancelled."),
    "completed": Refusal("The execution has completed; there is nothing to pause.", RERUN),
    "failed": Refusal("The execution has failed; there is nothing to pause.", "Let it go on with: repomill resume RUN"),
    "cancelled": Refusal("The execution was cancelled; there is nothing to pause.", RERUN),
}
_RESUME: Final[Mapping[str, Refusal]] = {
    "pending": Refusal("The execution is neither paused nor failed: it is pending."),
    "running": Refusal("The execution is neither paused nor failed: it is running."),
    "cancelling": Refusal("The execution is being cancelled.", RERUN),
    "completed": Refusal("The execution has completed; there is nothing to resume.", RERUN),
    "cancelled": Refusal("The execution was cancelled, and that is final.", RERUN),
}
_CANCEL: Final[Mapping[str, Refusal]] = {
    "cancelling": Refusal("The execution is being cancelled already.", "Watch it: repomill show --follow"),
    "completed": Refusal("The execution has completed; there is nothing to cancel."),
    "failed": Refusal("The execution has failed already; nothing of it runs."),
    "cancelled": Refusal("The execution is cancelled already."),
}
_RETRY_STEP: Final[Mapping[str, Refusal]] = {
    "cancelling": Refusal("The execution is being cancelled.", RERUN),
    "completed": Refusal("The execution has completed; its steps are final.", RERUN),
    "cancelled": Refusal("The execution was cancelled, and that is final.", RERUN),
}
_RESOLVE: Final[Mapping[str, Refusal]] = {
    "cancelling": Refusal("The execution is being cancelled; nothing would follow from it."),
    "completed": Refusal("The execution has completed without this task; nothing would follow from it.", RERUN),
    "cancelled": Refusal("The execution was cancelled; nothing would follow from it.", RERUN),
}
CONTROLS: Final[Mapping[str, Mapping[str, Refusal]]] = {
    "pause": _PAUSE,
    "resume": _RESUME,
    "cancel": _CANCEL,
    "cancel_step": _CANCEL,
    "retry_step": _RETRY_STEP,
    "resolve": _RESOLVE,
    # A new execution beside the old one, whatever became of that.
    "rerun": {},
}
"""For each control the standings in which it is refused, and why."""


def refusal(control: str, execution: str) -> Refusal | None:
    """Say why a control is refused for an execution that stands so (see `standing`); None: it is allowed."""
    return CONTROLS[control].get(execution)


def decide_cancel_step(step: str, *, status: str, stopping: bool) -> Refusal | None:
    """Say whether one step can be cancelled. stopping: that has been asked for before."""
    if stopping:
        return Refusal(f"The step {step!r} is being cancelled already.")
    if status in {"pending", "running"}:
        return None
    return Refusal(f"The step {step!r} is {status}; there is nothing to cancel.")


def decide_retry_step(step: str, *, status: str, in_doubt: bool) -> Refusal | None:
    """Say whether one step can be done again. in_doubt: one of its tasks may have had its effect."""
    if in_doubt:
        return Refusal(f"Whether a task of the step {step!r} was done is in doubt.", SETTLE)
    if status in {"failed", "cancelled"}:
        return None
    if status == "skipped":
        return Refusal(f"The step {step!r} was skipped.", "Retry the step that failed before it.")
    return Refusal(f"The step {step!r} is {status}; only a failed or cancelled one can be retried.")


def decide_resolve(*, status: str) -> Refusal | None:
    """Say whether a task can be settled."""
    if status == "in_doubt":
        return None
    return Refusal(
        f"The task is {status}; only one in doubt can be settled.", "A failed step is done again by: repomill retry"
    )


def decide_resume(
    definition: Definition, states: Mapping[str, StepState], *, in_doubt: Iterable[str]
) -> Reopening | Refusal:
    """Decide where a failed execution goes on: at every step whose failure the execution did not tolerate.

    in_doubt: ids of steps with a task in doubt; such a one is settled first, and never blindly repeated.
    """
    broken = [
        step.id
        for step in definition.steps
        if states[step.id].status in {"failed", "cancelled"} and not step.continue_on_error
    ]
    if not broken:
        return Refusal("No step has failed, only the outputs could not be filled in; that would happen again.", RERUN)
    if doubtful := sorted(set(broken).intersection(in_doubt)):
        return Refusal(f"Whether a task of the step {doubtful[0]!r} was done is in doubt.", SETTLE)
    return decide_reopening(definition, states, broken)


def decide_reopening(definition: Definition, states: Mapping[str, StepState], steps: Iterable[str]) -> Reopening:
    """Decide what doing these steps again means for the others: who was skipped because of them waits again."""
    reopen = tuple(steps)
    reached = set(reopen)
    unblock: list[str] = []
    # Each round reaches those that depend on what the round before has reached; a chain is never longer than this.
    for _ in definition.steps:
        for step in definition.steps:
            if step.id not in reached and states[step.id].blocked and reached.intersection(step.depends_on):
                reached.add(step.id)
                unblock.append(step.id)
    return Reopening(reopen, tuple(unblock))
