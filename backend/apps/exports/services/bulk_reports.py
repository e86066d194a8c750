"""What a bulk export came to: a report of every item as JSON or CSV, and a manifest with every archive's digest.

Both are written item by item, however many there are. Nothing is changed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from typing import Any

from backend.apps.exports.bulk_models import BulkExport, BulkExportItem
from backend.apps.exports.bulk_selectors import Progress, all_items, progress_of, standing_word

FORMATS = ("json", "csv", "manifest")
COLUMNS = (
    *("position", "project", "project_id", "generation", "content_digest", "status", "reason"),
    *("export", "repository_url", "archive_path", "archive_size", "archive_digest", "commit"),
    *("error_code", "error_message", "completed_at"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def report(bulk: BulkExport, *, format: str, now: datetime) -> Iterator[str]:
    """Yield the parts of a report. format: json, csv, or manifest (lines that `sha256sum --check` reads)."""
    if format == "csv":
        return _csv(bulk)
    if format == "manifest":
        return _manifest(bulk)
    return _json(bulk, now=now)


def summary(bulk: BulkExport, *, now: datetime, progress: Progress | None = None) -> dict[str, Any]:
    """Return everything of a bulk export but its items, as JSON. progress: where it is known already."""
    progress = progress or progress_of(bulk, now=now)
    return {
        "id": str(bulk.pk),
        "name": bulk.name,
        "status": bulk.status,
        "standing": standing_word(bulk),
        "selection": bulk.selection,
        "export_type": bulk.export_type,
        "destination": bulk.destination,
        "skip_unchanged": bulk.skip_unchanged,
        "window": bulk.window,
        "created_by": bulk.created_by.get_username(),
        "error": bulk.error,
        "counts": progress.counts,
        "percent": progress.percent,
        "rate": None if progress.rate is None else round(progress.rate, 3),
        "ends_at": _time(progress.ends_at),
        "created_at": _time(bulk.created_at),
        "started_at": _time(bulk.started_at),
        "completed_at": _time(bulk.completed_at),
    }


def item_row(item: BulkExportItem) -> dict[str, Any]:
    """Return one item of a report."""
    export = item.export
    result = export.config.get("result", {}) if export else {}
    error = item.error or {}
    return {
        "position": item.position,
        "project": item.project_slug,
        "project_id": str(item.project_id) if item.project_id else None,
        "generation": str(item.generation_id) if item.generation_id else None,
        "content_digest": item.content_digest or None,
        "status": item.status,
        "reason": item.reason or None,
        "export": str(export.pk) if export else None,
        "repository_url": (export.repository_url or None) if export else None,
        "archive_path": (export.archive_path or None) if export else None,
        "archive_size": export.archive_size if export else None,
        "archive_digest": result.get("digest"),
        "commit": (export.commit or None) if export else None,
        "error_code": error.get("code"),
        "error_message": error.get("message"),
        "completed_at": _time(item.completed_at),
    }


def _json(bulk: BulkExport, *, now: datetime) -> Iterator[str]:
    head = json.dumps(summary(bulk, now=now), ensure_ascii=False, indent=2)
    yield head[:-2] + ',\n  "items": ['
    between = "\n    "
    for item in all_items(bulk):
        yield between + json.dumps(item_row(item), ensure_ascii=False)
        between = ",\n    "
    yield "\n  ]\n}\n"


def _csv(bulk: BulkExport) -> Iterator[str]:
    line = StringIO()
    writer = csv.DictWriter(line, COLUMNS)
    writer.writeheader()
    for item in all_items(bulk):
        writer.writerow({name: _cell(value) for name, value in item_row(item).items()})
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def _manifest(bulk: BulkExport) -> Iterator[str]:
    for item in all_items(bulk, statuses=(BulkExportItem.Status.COMPLETED,)):
        row = item_row(item)
        if row["archive_digest"] and row["archive_path"]:
            yield f"{row['archive_digest']}  {row['archive_path']}\n"


def _cell(value: Any) -> Any:  # noqa: ANN401
    """Keep a spreadsheet from reading a text of somebody else's as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _time(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
