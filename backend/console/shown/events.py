"""An execution's events in words, for the log: what happened, how bad it is, and to which task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.apps.workflows.models import ExecutionEvent
from backend.console.templatetags.console import duration

LONGEST = 2_000
"""Characters of one line; a longer text of somebody's is cut."""


@dataclass(frozen=True)
class Line:
    """One line of the log. look: the class of its state. detail: what else is known, such as an error's hint."""

    sequence: int
    at: datetime
    step: str
    task: UUID | None
    look: str
    icon: str
    text: str
    detail: str = ""
    code: str = ""

    @property
    def searched(self) -> str:
        """What a search looks through."""
        return f"{self.step}\n{self.text}\n{self.detail}\n{self.code}".casefold()


def lines_of(events: Iterable[ExecutionEvent]) -> list[Line]:
    """Return the events as lines."""
    return [line_of(event) for event in events]


def line_of(event: ExecutionEvent) -> Line:
    """Return one event as a line. One that this version does not know says its own kind."""
    data = event.data if isinstance(event.data, dict) else {}
    look, icon, words = _KINDS.get(event.kind) or ("idle", "circle", _says(event.kind.replace("_", " ")))
    error = data.get("error")
    error = error if isinstance(error, dict) else {}
    return Line(
        sequence=event.sequence,
        at=event.created_at,
        step=event.step_id,
        task=event.task_id,
        look=look,
        icon=icon,
        text=words(data)[:LONGEST],
        detail=_detail(error, data)[:LONGEST],
        code=str(error.get("code", ""))[:100],
    )


def wanted(line: Line, *, search: str, problems: bool) -> bool:
    """Return whether a line has the words that are searched for, and is a problem where only those are wanted."""
    if problems and line.look not in {"bad", "warn", "doubt"}:
        return False
    return all(part in line.searched for part in search.casefold().split())


def _detail(error: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    parts = [str(error[name]) for name in ("message", "hint") if error.get(name)]
    if why := data.get("why"):
        parts.append(f"Not tried again: {why}.")
    return " ".join(parts)


def _task(data: Mapping[str, Any]) -> str:
    named = str(data.get("method", "The task"))
    item = data.get("item")
    return named if item is None else f"{named}, item {int(item) + 1 if isinstance(item, int) else item}"


def _attempt(data: Mapping[str, Any]) -> str:
    attempt = data.get("attempt")
    return f" (attempt {attempt})" if isinstance(attempt, int) and attempt > 1 else ""


def _took(data: Mapping[str, Any]) -> str:
    seconds = data.get("duration")
    return f" in {duration(seconds)}" if isinstance(seconds, int | float) else ""


def _by(data: Mapping[str, Any]) -> str:
    return f" by {data['by']}" if data.get("by") else ""


def _says(words: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda _: words


def _started(data: Mapping[str, Any]) -> str:
    again = f", a rerun of {str(data['rerun_of'])[:8]}" if data.get("rerun_of") else ""
    return f"Started by {data.get('user', 'somebody')}, version {data.get('version', '?')}{again}"


def _step_started(data: Mapping[str, Any]) -> str:
    methods = ", then ".join(str(name) for name in data.get("methods") or [])
    items = data.get("items")
    return "Started" + (f" for {items} items" if items is not None else "") + (f": {methods}" if methods else "")


def _waits(data: Mapping[str, Any]) -> str:
    seconds = data.get("seconds")
    pause = duration(seconds) if isinstance(seconds, int | float) else "a while"
    return f"{_task(data)} did not succeed{_attempt(data)}; tried again in {pause}"


def _resolved(data: Mapping[str, Any]) -> str:
    outcome = {"done": "it was done", "retry": "it is done again"}.get(str(data.get("outcome")), "it was settled")
    return f"Settled{_by(data)}: {outcome}"


def _skipped(data: Mapping[str, Any]) -> str:
    return f"Skipped: {data.get('reason', 'it was not needed')}"


def _resumed(data: Mapping[str, Any]) -> str:
    steps = ", ".join(str(name) for name in data.get("steps") or [])
    return f"Resumed{_by(data)}" + (f" at {steps}" if steps else "")


def _lost(data: Mapping[str, Any]) -> str:
    return f"The worker {data.get('worker') or 'at it'} fell silent{_attempt(data)}; another one takes over"


_Kind = tuple[str, str, Callable[[Mapping[str, Any]], str]]
_KINDS: dict[str, _Kind] = {
    "execution_started": ("busy", "play", _started),
    "execution_completed": ("good", "circle-check", _says("The run completed")),
    "execution_failed": ("bad", "circle-x", _says("The run failed")),
    "execution_cancelled": ("idle", "ban", _says("The run was cancelled")),
    "execution_paused": ("warn", "circle-pause", lambda data: f"Paused{_by(data)}"),
    "execution_resumed": ("busy", "play", _resumed),
    "execution_cancelling": ("warn", "ban", lambda data: f"Cancelled{_by(data)}; what runs is being stopped"),
    "step_started": ("busy", "play", _step_started),
    "step_completed": ("good", "circle-check", _says("Completed")),
    "step_failed": ("bad", "circle-x", _says("Failed")),
    "step_skipped": ("idle", "circle-slash", _skipped),
    "step_cancelling": ("warn", "ban", lambda data: f"Cancelled{_by(data)}; what runs is being stopped"),
    "step_cancelled": ("idle", "ban", _says("Cancelled")),
    "step_retried": ("busy", "rotate-ccw", lambda data: f"Retried{_by(data)}"),
    "task_completed": ("good", "check", lambda data: f"{_task(data)} completed{_took(data)}{_attempt(data)}"),
    "task_waits": ("warn", "hourglass", _waits),
    "task_failed": ("bad", "x", lambda data: f"{_task(data)} failed{_took(data)}{_attempt(data)}"),
    "task_cancelled": ("idle", "ban", lambda data: f"{_task(data)} was cancelled{_took(data)}"),
    "task_resolved": ("doubt", "circle-question-mark", _resolved),
    "task_handed_back": ("warn", "repeat", lambda data: f"{_task(data)} was handed back: its worker stops"),
    "lease_expired": ("warn", "triangle-alert", _lost),
    "message_lost": ("warn", "triangle-alert", lambda data: f"{_task(data)}: its message was lost, and sent again"),
}
