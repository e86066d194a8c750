"""A step that is repeated for a list, as people read it in a terminal: one line per method, with counts."""

from __future__ import annotations

from collections.abc import Collection

from rich.text import Text

from backend.apps.workflows.models import WorkflowExecution
from backend.apps.workflows.selectors import ItemCounts, item_counts

# What is counted besides those that are done, the word for it, and its colour.
COUNTED = [
    ("running", "running", "cyan"),
    ("waiting", "waiting", "yellow"),
    ("failed", "failed", "red"),
    ("in_doubt", "in doubt", "magenta"),
    ("cancelled", "cancelled", "yellow"),
]


def item_rows(execution: WorkflowExecution, steps: Collection[str]) -> dict[str, list[tuple[Text, ...]]]:
    """Return, for each of these steps, its lines as the cells of the picture's table."""
    rows: dict[str, list[tuple[Text, ...]]] = {}
    for counts in item_counts(execution, steps=steps):
        mark, style = _mark(counts)
        sign = Text.assemble((f"{mark} ", style), counts.method)
        rows.setdefault(counts.step_id, []).append((Text(), sign, Text(), counts_text(counts)))
    return rows


def counts_text(counts: ItemCounts) -> Text:
    """Return the counts in words: `312/500 done, 10 running, 1 waiting`; what is nought is left out."""
    text = Text(f"{counts.done}/{counts.total} done", "dim")
    for name, word, style in COUNTED:
        if number := getattr(counts, name):
            text.append(", ", "dim").append(f"{number} {word}", style)
    return text


def _mark(counts: ItemCounts) -> tuple[str, str]:
    if counts.failed or counts.in_doubt:
        return ("✗", "red")
    if counts.done == counts.total:
        return ("✓", "green")
    if counts.running or counts.waiting or counts.done:
        return ("▸", "cyan")
    return ("·", "dim")
