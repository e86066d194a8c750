"""Lays out the timeline of a run: a row for each step, below it its tasks with their attempts and the waits between.

Places are percents of the run's time. A step that is repeated for a list has one row, whatever the number of its items.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution
from backend.console.templatetags.console import duration

THINNEST = 0.35
"""Percents that the shortest bar has, so that it is seen."""
STEPS_OF_TIME = (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
MOST_TICKS = 6
_LOOKS = {
    "task_completed": "good",
    "task_waits": "warn",
    "task_failed": "bad",
    "task_cancelled": "idle",
    "task_handed_back": "warn",
    "lease_expired": "warn",
}


@dataclass(frozen=True)
class Bar:
    """A stretch of time. kind: attempt, wait or step."""

    kind: str
    look: str
    left: float
    width: float
    words: str


@dataclass(frozen=True)
class Row:
    """A step, or one of its tasks."""

    name: str
    status: str
    is_step: bool
    step_id: str
    task_id: UUID | None
    bars: list[Bar]
    took: float | None


@dataclass(frozen=True)
class Timeline:
    """The whole drawing. ticks: percents and what they say."""

    rows: list[Row] = field(default_factory=list)
    ticks: list[tuple[float, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Scale:
    begin: datetime
    seconds: float

    def bar(self, kind: str, look: str, begin: datetime, end: datetime, words: str) -> Bar:
        left = 100 * (begin - self.begin).total_seconds() / self.seconds
        width = 100 * (end - begin).total_seconds() / self.seconds
        left = min(max(left, 0.0), 100 - THINNEST)
        return Bar(kind, look, round(left, 2), round(min(max(width, THINNEST), 100 - left), 2), words)


def draw(
    execution: WorkflowExecution,
    steps: Sequence[StepExecution],
    tasks: Sequence[TaskExecution],
    ends: Sequence[ExecutionEvent],
    *,
    now: datetime,
) -> Timeline:
    """Return the drawing. tasks: those to be shown, in order. ends: the events with which their attempts ended."""
    begin = execution.started_at or execution.created_at
    seconds = max(((execution.completed_at or now) - begin).total_seconds(), 0.05)
    scale = _Scale(begin, seconds)
    of_step: dict[str, list[TaskExecution]] = defaultdict(list)
    for task in tasks:
        if task.step is not None:
            of_step[task.step.step_id].append(task)
    of_task: dict[UUID, list[ExecutionEvent]] = defaultdict(list)
    for event in ends:
        if event.task_id is not None:
            of_task[event.task_id].append(event)
    rows: list[Row] = []
    for step in steps:
        if step.started_at is None:
            continue
        rows.append(_step_row(step, scale, now=now))
        shown = of_step[step.step_id]
        rows += [_task_row(task, of_task[task.pk], scale, now=now) for task in shown]
    return Timeline(rows, _ticks(seconds))


def _step_row(step: StepExecution, scale: _Scale, *, now: datetime) -> Row:
    begin = step.started_at or now
    end = step.completed_at or now
    took = (end - begin).total_seconds()
    look = {"completed": "good", "failed": "bad", "running": "busy"}.get(step.status, "idle")
    bar = scale.bar("step", look, begin, end, f"{step.step_id}: {duration(took)}")
    return Row(step.step_id, step.status, True, step.step_id, None, [bar], took)


def _task_row(task: TaskExecution, ends: Sequence[ExecutionEvent], scale: _Scale, *, now: datetime) -> Row:
    bars = list(_bars(task, ends, scale, now=now))
    took = None
    if task.started_at is not None:
        took = ((task.completed_at or now) - task.started_at).total_seconds()
    waits = task.status == "pending" and task.not_before is not None and task.not_before > now
    step_id = task.step.step_id if task.step else ""
    return Row(task.method, "waiting" if waits else task.status, False, step_id, task.pk, bars, took)


def _bars(task: TaskExecution, ends: Sequence[ExecutionEvent], scale: _Scale, *, now: datetime) -> Iterator[Bar]:
    """Yield attempts as their ends tell them, the waits between, and the attempt that is at work now."""
    free_since: datetime | None = None
    for event in ends:
        seconds = event.data.get("duration")
        begin = event.created_at - timedelta(seconds=seconds) if isinstance(seconds, int | float) else None
        number = event.data.get("attempt", 1)
        if free_since is not None and (begin or event.created_at) > free_since:
            yield _wait(free_since, begin or event.created_at, scale)
        words = f"{task.method}, attempt {number}"
        if begin is not None:
            words += f": {duration(seconds)}"
        yield scale.bar("attempt", _LOOKS[event.kind], begin or event.created_at, event.created_at, words)
        free_since = event.created_at
    if task.status == TaskExecution.Status.RUNNING and task.started_at is not None:
        if free_since is not None and task.started_at > free_since:
            yield _wait(free_since, task.started_at, scale)
        words = (
            f"{task.method}, attempt {task.attempt}: at work for {duration((now - task.started_at).total_seconds())}"
        )
        yield scale.bar("attempt", "busy", task.started_at, now, words)
    elif task.status == TaskExecution.Status.PENDING and task.ready:
        yield _wait(free_since or task.published_at or task.created_at, now, scale)


def _wait(begin: datetime, end: datetime, scale: _Scale) -> Bar:
    return scale.bar("wait", "warn", begin, end, f"waited {duration((end - begin).total_seconds())}")


def _ticks(seconds: float) -> list[tuple[float, str]]:
    unit = next((step for step in STEPS_OF_TIME if seconds / step <= MOST_TICKS), seconds / MOST_TICKS)
    count = int(seconds / unit)
    return [(round(100 * number * unit / seconds, 2), _tick(number * unit)) for number in range(count + 1)]


def _tick(seconds: float) -> str:
    if seconds == 0:
        return "0"
    return f"{seconds:g} s" if seconds < 60 else duration(seconds).removesuffix(" 0 s").removesuffix(" 0 min")
