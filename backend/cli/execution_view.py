"""An execution as people read it in a terminal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from backend.apps.workflows import selectors
from backend.apps.workflows.execution.cancelling import CANCELLED, is_stopping
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.cli.items_view import item_rows
from backend.cli.messages import visible, visible_lines

MARKS = {
    "pending": ("·", "dim"),
    "running": ("▸", "cyan"),
    "paused": ("‖", "yellow"),
    "cancelling": ("▸", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "in_doubt": ("?", "magenta"),
    "skipped": ("-", "dim"),
    "cancelled": ("-", "yellow"),
}


def seconds(span: timedelta) -> str:
    """Return a duration as people say it: 0.42 s, 12 s, 3 min 5 s, 2 h 10 min."""
    total = max(0.0, span.total_seconds())
    if total < 10:
        return f"{total:.2f} s"
    if total < 60:
        return f"{total:.0f} s"
    minutes, rest = divmod(int(total), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Return a number of bytes as people say it: 312 B, 4.1 kB, 16.0 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def execution_view(execution: WorkflowExecution, *, live: bool = False) -> RenderableType:
    """Return the picture: what it is, and its steps with their tasks.

    live: running steps turn.
    """
    now = timezone.now()
    repeated = [step["id"] for step in execution.version.definition["steps"] if "each" in step]
    tasks = selectors.tasks_of(execution, without=repeated)
    folded = item_rows(execution, repeated) if repeated else {}
    table = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "right", "left"):
        table.add_column(justify=justify)
    names = {step["id"]: step.get("name", "") for step in execution.version.definition["steps"]}
    for step in selectors.steps_of(execution):
        _add_step(table, step, names[step.step_id], now, live)
        for task in tasks:
            if task.step_id == step.pk:
                _add_task(table, task, now)
        for row in folded.get(step.step_id, []):
            table.add_row(*row)
    return Group(_headline(execution, now), Padding(table, (0, 0, 0, 2)))


def print_execution(execution: WorkflowExecution, console: Console) -> None:
    """Print the whole picture, and how it ended: its outputs, or why it failed."""
    console.print(execution_view(execution))
    for line in _ending(execution):
        # Never folded or cut: what stands there is there to be copied.
        console.print(line, soft_wrap=True)


def _headline(execution: WorkflowExecution, now: datetime) -> Text:
    word = selectors.standing_word(execution)
    mark, style = MARKS[word]
    text = Text.assemble(
        (f"{mark} ", style), (visible(execution.workflow.name), "bold"), f" v{execution.version.number}  "
    )
    text.append(word, style)
    if execution.started_at:
        text.append(f" · {seconds((execution.completed_at or now) - execution.started_at)}", "dim")
    whose = f" · {execution.project_name or 'no project'} · {execution.user.get_username()}"
    text.append(visible(whose), "dim")
    text.append(f"\n  {execution.pk}", "dim")
    return text


def _add_step(table: Table, step: StepExecution, name: str, now: datetime, live: bool) -> None:
    mark, style = MARKS[step.status]
    sign: RenderableType = Spinner("dots", style=style) if live and step.status == "running" else Text(mark, style)
    took = seconds((step.completed_at or now) - step.started_at) if step.started_at else ""
    note = Text(visible(name), "dim")
    if step.status == "skipped" and step.error:
        note = Text(visible_lines(step.error["message"]), "dim")
    elif step.status == "failed" and step.error and not step.started_at:
        note = Text(visible_lines(step.error["message"]), "red")
    elif step.error and is_stopping(step):
        note = Text(visible_lines(f"stopping: {step.error['message']}"), "yellow")
    elif step.status == "cancelled" and step.error:
        note = Text(visible_lines(step.error["message"]), "yellow")
    table.add_row(sign, Text(step.step_id, "bold"), Text(took, "dim"), note)


def _add_task(table: Table, task: TaskExecution, now: datetime) -> None:
    mark, style = MARKS[task.status]
    took = ""
    if task.started_at and task.status != "pending":
        took = seconds((task.completed_at or now) - task.started_at)
    table.add_row("", Text.assemble((f"{mark} ", style), task.method), Text(took, "dim"), _task_note(task, now))


def _task_note(task: TaskExecution, now: datetime) -> Text:
    parts = []
    if task.attempt:
        parts.append(f"attempt {task.attempt}")
    if task.status == "pending" and task.not_before and task.error:
        wait = seconds(max(timedelta(0), task.not_before - now))
        parts.append(f"again in {wait}: {task.error['message']}")
        return Text(visible_lines(" · ".join(parts)), "yellow")
    if task.status == "in_doubt" and task.error:
        parts.append(f"{task.error['message']} Settle it: repomill resolve {str(task.pk)[:8]} --done, or --retry")
        return Text(visible_lines(" · ".join(parts)), "magenta")
    if task.status == "failed" and task.error:
        parts.append(f"{task.error['code']}: {task.error['message']}")
        return Text(visible_lines(" · ".join(parts)), "red")
    return Text(visible_lines(" · ".join(parts)), "dim")


def _ending(execution: WorkflowExecution) -> list[Text]:
    if execution.error and execution.error.get("code") == CANCELLED:
        return [Text(), Text(visible_lines("  " + execution.error.get("message", "")), "yellow")]
    if execution.error:
        code, message = execution.error.get("code", ""), execution.error.get("message", "")
        text = Text.assemble(("  Failed", "bold red"), visible_lines(f" with {code}: {message}"))
        if hint := execution.error.get("hint"):
            text.append(visible_lines(f"\n  {hint}"), "yellow")
        return [Text(), text]
    if execution.output_data:
        return [Text(), *_outputs(execution.output_data)]
    return []


def _outputs(outputs: dict[str, Any]) -> list[Text]:
    width = max(len(name) for name in outputs)
    shown = {f"{name:{width}}": visible_lines(str(value)) for name, value in outputs.items()}
    return [Text.assemble("  ", (visible(name), "cyan"), "  ", value) for name, value in shown.items()]
