"""A bulk export as its pages show it: its bar, its numbers, what it waits for and where its items went, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.apps.exports.bulk_items import Wait
from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.bulk_selectors import Progress
from backend.console.shown.links import web_address

TITLES = {"zip": "zip archives", "tar": "tar archives", "tar.gz": "tar.gz archives"}
TITLES |= {"git": "git repositories", "github": "GitHub", "gitlab": "GitLab"}
OVER = ("completed", "skipped", "failed", "in_doubt", "cancelled")
REASONS = {"unchanged": "the destination has it", "nothing_generated": "nothing was generated yet"}


@dataclass(frozen=True)
class Row:
    """One line of the list."""

    bulk: BulkExport
    standing: str
    progress: Progress

    @property
    def bar(self) -> list[Segment]:
        """Its bar."""
        return bar(self.progress)

    @property
    def where(self) -> str:
        """Where it goes to."""
        return where_words(self.bulk)


@dataclass(frozen=True)
class Segment:
    """A part of the bar. x and width: in thousandths of it."""

    status: str
    count: int
    x: float
    width: float


@dataclass(frozen=True)
class Tile:
    """A number and what it counts."""

    status: str
    count: int
    hint: str


@dataclass(frozen=True)
class Waiting:
    """What it waits for, as people say it."""

    look: str
    icon: str
    text: str
    until: datetime | None


@dataclass(frozen=True)
class ItemRow:
    """One line of the items."""

    item: BulkExportItem
    standing: str
    why: str
    hint: str
    code: str
    until: datetime | None
    url: str

    @classmethod
    def of(cls, item: BulkExportItem, standing: str) -> ItemRow:
        """Return how an item is shown. standing: as its task says it while that is in flight."""
        task = item.task
        error = item.error or {}
        until = None
        if task is not None and item.status == BulkExportItem.Status.IN_FLIGHT:
            error = task.error or {}
            until = task.not_before if task.status == "pending" else None
        said = standing in {"failed", "in_doubt"} or until is not None
        why = str(error.get("message", "")) if said else REASONS.get(item.reason, "")
        return cls(
            item=item,
            standing="waiting" if until is not None else standing,
            why=why,
            hint=str(error.get("hint") or "") if said else "",
            code=str(error.get("code", "")) if said else "",
            until=until,
            url=web_address(item.export.repository_url) if item.export else "",
        )


def bar(progress: Progress) -> list[Segment]:
    """Return the parts of the bar: what is over, by how it ended. Full only when all is over."""
    return list(_segments(progress))


def _segments(progress: Progress) -> Iterator[Segment]:
    x = 0.0
    for status in OVER:
        count = progress.counts[status]
        if count and progress.total:
            width = 1000 * count / progress.total
            yield Segment(status, count, round(x, 2), round(width, 2))
            x += width


def tiles(progress: Progress) -> list[Tile]:
    """Return the counts that matter, those that are nothing left out but for the first ones."""
    hints = {
        "completed": "delivered",
        "skipped": "left out, since nothing was to do",
        "failed": "can be tried again",
        "in_doubt": "a person decides",
        "cancelled": "not delivered",
        "in_flight": "at work, or waiting for a turn",
        "waiting": "not begun",
    }
    always = {"completed", "waiting", "failed"}
    return [
        Tile(status, progress.counts[status], hint)
        for status, hint in hints.items()
        if progress.counts[status] or status in always
    ]


def rate_words(rate: float | None) -> str:
    """Return how fast it goes as people say it."""
    if rate is None:
        return ""
    return f"{rate:.1f} a second" if rate >= 1 else f"{rate * 60:.1f} a minute"


def wait_words(wait: Wait) -> Waiting:
    """Return what is waited for as people say it."""
    many = "1 item waits" if wait.number == 1 else f"{wait.number:,} items wait"
    words = {
        "planner": ("is-warn", "hourglass", "A worker has to plan it first."),
        "worker": ("is-busy", "hourglass", f"{many} for a free worker."),
        "in_doubt": ("is-doubt", "circle-question-mark", f"{many} for a person: whether it happened is not known."),
        "rate_limited": ("is-warn", "clock", f"{many} for the host's limit; nothing has to be done."),
    }
    look, icon, text = words.get(wait.reason) or ("is-warn", "clock", f"{many} for another try ({wait.reason}).")
    return Waiting(look, icon, text, wait.until)


def controls(bulk: BulkExport, standing: str) -> list[str]:
    """Return what may be done with it as it stands; the services refuse the rest."""
    if bulk.status in {BulkExport.Status.PENDING, BulkExport.Status.RUNNING}:
        if bulk.cancel_requested_at is not None:
            return []
        return ["resume" if standing == "paused" else "pause", "cancel"]
    return ["retry"] if bulk.status == BulkExport.Status.FAILED else []


def where_words(bulk: BulkExport) -> str:
    """Return where a bulk export goes to in a few words."""
    destination = bulk.destination
    place = destination.get("organization") or destination.get("namespace")
    return f"{TITLES.get(bulk.export_type, bulk.export_type)}{f', {place}' if place else ''}"


def selection_words(selection: dict[str, Any]) -> str:
    """Return which projects a selection is of, in words."""
    kind = selection.get("kind")
    words = {
        "owner": f"those of {selection.get('owner', '')}",
        "label": f"those with the label {selection.get('label', '')}",
        "list": f"{len(selection.get('projects', ())):,} that were named",
    }.get(str(kind), "all that may be exported")
    return f"{words}; only what has changed" if selection.get("changed_only") else words


def facts(bulk: BulkExport) -> list[tuple[str, str]]:
    """Return what it was started with, as names and values."""
    return export_facts(
        {
            "selection": bulk.selection,
            "export_type": bulk.export_type,
            "destination": bulk.destination,
            "skip_unchanged": bulk.skip_unchanged,
            "window": bulk.window,
        }
    )


def export_facts(export: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a bulk export is to be, as names and values."""
    names = {"repository_name": "Names", "url": "Addresses"}
    destination = [
        (names.get(name, name.replace("_", " ").capitalize()), _value(value))
        for name, value in export.get("destination", {}).items()
    ]
    export_type = str(export.get("export_type", ""))
    return [
        ("Projects", selection_words(export.get("selection", {}))),
        ("To", TITLES.get(export_type, export_type)),
        *destination,
        ("Unchanged ones", "left out" if export.get("skip_unchanged") else "delivered again"),
        ("At once", f"{export.get('window')} at most"),
    ]


def _value(value: Any) -> str:  # noqa: ANN401  (JSON)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
