"""One record, one line: what others wrote cannot begin a line of its own in the log, nor steer a terminal.

The lines of a traceback stay lines, each marked as a part of the record above it.
"""

from __future__ import annotations

import logging

MARK = "    | "
LONGEST_MESSAGE = 10_000


class OneLine(logging.Formatter):
    """Formats records; characters that are not printable are written out."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the base class's name)
        """Return the record's own line."""
        line = printable(super().formatMessage(record))
        if len(line) <= LONGEST_MESSAGE:
            return line
        return f"{line[:LONGEST_MESSAGE]}... ({len(line) - LONGEST_MESSAGE} more characters)"

    def formatException(self, ei: object) -> str:  # noqa: N802
        """Return the traceback's lines, marked."""
        return marked(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        """Return the stack's lines, marked."""
        return marked(super().formatStack(stack_info))


def printable(text: str) -> str:
    """Return the text with what is not printable written out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def marked(text: str) -> str:
    """Return every line marked as a part of a record, with what is not printable written out."""
    return "\n".join(MARK + printable(line[:LONGEST_MESSAGE]) for line in text.split("\n"))
