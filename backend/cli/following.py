"""Follows an execution until it ends: a live picture on a terminal, a line for each event elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rich.console import Console
from rich.live import Live
from rich.text import Text

from backend.apps.workflows import selectors
from backend.apps.workflows.models import ExecutionEvent, TaskExecution, WorkflowExecution
from backend.cli.execution_view import execution_view, print_execution
from backend.cli.messages import visible

PAUSE = 0.2
UNCLAIMED_AFTER = timedelta(seconds=8)
OVER = {"completed", "failed", "cancelled"}


def follow(execution: WorkflowExecution, console: Console) -> WorkflowExecution:
    """Show the execution until it has ended, and return it as it ended. Ctrl-C ends the showing, not the run."""
    shown = _follow_live if console.is_terminal else _follow_lines
    return shown(execution, console)


def _follow_live(execution: WorkflowExecution, console: Console) -> WorkflowExecution:
    with Live(console=console, refresh_per_second=10, transient=True) as live:
        warned = False
        while execution.status not in OVER:
            live.update(execution_view(execution, live=True))
            if not warned and _nobody_works(execution):
                console.print(Text(NOBODY, "yellow"))
                warned = True
            time.sleep(PAUSE)
            execution = _again(execution)
    print_execution(execution, console)
    return execution


def _follow_lines(execution: WorkflowExecution, console: Console) -> WorkflowExecution:
    last = 0
    warned = False
    while True:
        over = execution.status in OVER
        for event in selectors.events_after(execution.pk, last):
            last = event.sequence
            console.print(Text(event_line(event)), soft_wrap=True)
        if over:
            print_execution(execution, console)
            return execution
        if not warned and _nobody_works(execution):
            console.print(Text(NOBODY))
            warned = True
        time.sleep(PAUSE)
        execution = _again(execution)


NOBODY = "No worker has taken this up yet. Is the stack running? Start it with: repomill up"


def _nobody_works(execution: WorkflowExecution) -> bool:
    if execution.paused_at is not None or timezone.now() - execution.created_at < UNCLAIMED_AFTER:
        return False
    return not TaskExecution.objects.filter(execution=execution, attempt__gt=0).exists()


def _again(execution: WorkflowExecution) -> WorkflowExecution:
    return WorkflowExecution.objects.select_related("workflow", "version", "user").get(pk=execution.pk)


def event_line(event: ExecutionEvent) -> str:
    """Return one event as one line: time, what, where, and the words that belong to it."""
    words: dict[str, Callable[[], str]] = {
        "task_completed": lambda: (
            f"{event.data['method']}, attempt {event.data['attempt']}, {event.data['duration']} s"
        ),
        "task_failed": lambda: f"{event.data['method']}: {event.data['error']['message']} ({event.data['why']})",
        "task_waits": lambda: (
            f"{event.data['method']}, attempt {event.data['attempt']}: {event.data['error']['message']}"
            f" Again in {event.data['seconds']} s."
        ),
        "task_handed_back": lambda: f"attempt {event.data['attempt']} was handed back, because its worker stopped",
        "lease_expired": lambda: f"attempt {event.data['attempt']} was lost with {event.data['worker']}",
        "message_lost": lambda: f"{event.data['method']}: nobody answered its message; it is sent again",
        "step_started": lambda: " -> ".join(event.data["methods"]),
        "step_skipped": lambda: str(event.data["reason"]),
        "task_cancelled": lambda: f"{event.data['method']}, attempt {event.data['attempt']}",
        "task_resolved": lambda: f"{event.data['outcome']}, says {event.data['by']}",
    }
    told = words[event.kind]() if event.kind in words else _told(event.data)
    place = f"{event.step_id}[{event.data['item']}]" if "item" in event.data else event.step_id
    parts = [event.created_at.strftime("%H:%M:%S"), event.kind.replace("_", " "), place, told]
    return visible("  ".join(part for part in parts if part))


def _told(data: dict[str, Any]) -> str:
    """Return what an event of no kind of its own tells: an error, a reason, or who did it."""
    if "error" in data:
        return str(data["error"].get("message", ""))
    if "by" in data:
        return f"by {data['by']}" + (f": {', '.join(data['steps'])}" if data.get("steps") else "")
    return str(data.get("reason", ""))
