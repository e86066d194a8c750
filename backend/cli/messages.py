"""How an error is shown to a person at a terminal.

An error's text may hold words of other systems or of users, so whatever could steer a terminal is made visible.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TextIO

from backend.errors import ConfigurationError, RepomillError, TemporaryFailure


def visible(text: str) -> str:
    """Return the text with every control character but the tab written out, so that it cannot steer a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else _escaped(char) for char in text)


def visible_lines(text: str) -> str:
    """Return the same for a text of several lines, which stay lines."""
    return "\n".join(visible(line) for line in text.split("\n"))


def error_lines(error: RepomillError) -> list[str]:
    """Return the one to three lines that tell what happened, where, and what to do next."""
    lines = [f"error: {error.message} [{error.code}]"]
    place = ", ".join(
        f"{name} {value}" for name, value in error.place.items() if not _is_said(str(value), error.message)
    )
    if place:
        lines.append(f"  where: {place}")
    if error.hint:
        lines.append(f"  hint: {error.hint}")
    return [visible(line.replace("\n", " ")) for line in lines]


def show_error(error: RepomillError, *, stream: TextIO | None = None) -> None:
    """Write an error to stderr; with its traceback when REPOMILL_DEBUG is set."""
    stream = stream or sys.stderr
    if debugging():
        traceback.print_exception(error, file=stream)
    for line in error_lines(error):
        stream.write(line + "\n")
    stream.flush()


def as_told(error: Exception) -> RepomillError:
    """Return an error that nobody expected as one that can be shown; what has a well-known cause says what to do."""
    words = str(error)
    # SQLite's words and PostgreSQL's; the command may have failed before Django was there to tell the type.
    if "no such table" in words or ("relation" in words and "does not exist" in words):
        return ConfigurationError("The database is not set up yet.", hint="Run: repomill migrate  (or: repomill up)")
    # Not above: most commands end without an error, and `--help` without Django.
    from django.db import InterfaceError, OperationalError

    if isinstance(error, OperationalError | InterfaceError):
        first = words.strip().partition("\n")[0]
        hint = "Check that it runs and lets this user in, then try again; see: repomill doctor"
        return TemporaryFailure(f"The database does not answer: {first}", hint=hint)
    hint = "This is a fault of Repomill. REPOMILL_DEBUG=1 shows where."
    return RepomillError(f"{type(error).__name__}: {words}", hint=hint)


def debugging() -> bool:
    """Say whether tracebacks are wanted; read here because the settings themselves may be what is wrong."""
    return os.environ.get("REPOMILL_DEBUG", "").lower() in {"1", "true", "yes", "on"}


def _is_said(value: str, message: str) -> bool:
    # A path or a variable's name; that a word as short as "name" stands in the message proves nothing.
    return len(value) > 8 and value in message


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
