"""How a log line is written: for a person, or as JSON for a machine that collects them; with what it is about.

What looks like a secret is replaced. That is the last line of defence; nothing should log a secret in the first place.
That one record is one line is `backend.config.log_lines`' business.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

from backend.config.log_lines import LONGEST_MESSAGE, OneLine, marked, printable
from backend.telemetry.about import known
from backend.telemetry.tracing import current_trace_id

ORDER = ("run", "step", "task", "attempt", "request", "trace")
# A line may be long and another's: none of them starts again within what it has looked through, in quadratic time.
SECRETS = (
    re.compile(r"(?i)\b(?P<kept>(?:bearer|basic|token)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?P<kept>://)[^/\s@]+@"),
    re.compile(
        r"(?i)(?P<kept>(?:password|passwd|secret|token|api[_-]?key|private[_-]?key|authorization)"
        r"[\"']?\s*[=:]\s*[\"']?)(?!\s)[^\s\"',;&}]{4,}"
    ),
    re.compile(r"(?P<kept>)\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,})"),
    re.compile(r"(?<![\w-])(?P<kept>(?>[\w-]*?\b(?=eyJ)))[\w-]{11,}+\.[\w-]{8,}+\.[\w-]*"),
)


def hide(text: str) -> str:
    """Return the text with *** for what looks like a secret."""
    for secret in SECRETS:
        text = secret.sub(r"\g<kept>***", text)
    return text


def facts(record: logging.LogRecord) -> dict[str, str]:
    """Return what the line is about: what the thread works on, or the task that Celery names."""
    found = dict(known())
    data = getattr(record, "data", None)
    if isinstance(data, dict) and "task" not in found and data.get("id"):
        found["task"] = str(data["id"])
    if "trace" not in found and (trace := current_trace_id()):
        found["trace"] = trace
    return {name: printable(found[name])[:200] for name in ORDER if name in found}


class Line(OneLine):
    """A line for a person: time, level, logger, message, and what it is about."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the base class's name)
        """Return the record's own line."""
        record.message = hide(record.message)
        return super().formatMessage(record) + "".join(f" {name}={value}" for name, value in facts(record).items())

    def formatException(self, ei: object) -> str:  # noqa: N802
        """Return the traceback's lines, marked."""
        return hide(super().formatException(ei))


class Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": printable(record.name),
            "message": printable(hide(record.getMessage()[:LONGEST_MESSAGE])),
            "process": record.process,
            **facts(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            entry["exception"] = record.exc_info[0].__name__
            entry["traceback"] = hide(marked(self.formatException(record.exc_info)))
        return json.dumps(entry, ensure_ascii=False)
