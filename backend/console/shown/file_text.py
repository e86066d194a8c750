"""A file as a page shows it: its text in lines, as far as a page has room for; anything else is to be downloaded."""

from __future__ import annotations

from dataclasses import dataclass

from backend.apps.projects.services.file_types import UNKNOWN, file_type
from backend.apps.projects.services.text_diff import as_text

LARGEST_SHOWN = 256 * 1024
"""Bytes of a file that a page shows."""
MOST_LINES = 5000
LARGEST_EDITED = 1024 * 1024
"""Bytes of a file that can be changed in a page."""
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that turn the direction of writing, so that code reads otherwise than it runs."""


@dataclass(frozen=True)
class FileText:
    """What is shown. lines: None where it is no text. cut: whether there is more. turning: holds such characters."""

    lines: tuple[str, ...] | None
    language: str
    cut: bool = False
    turning: bool = False

    @property
    def count(self) -> int:
        """How many lines are shown."""
        return len(self.lines or ())


def shown_file(path: str, head: bytes, *, size: int) -> FileText:
    """Return how a file is shown. head: its first bytes, at least LARGEST_SHOWN of them where it has more."""
    language = file_type(path)
    shown = head[:LARGEST_SHOWN]
    cut = size > len(shown)
    text = _decoded(shown, cut=cut)
    if text is None:
        return FileText(None, UNKNOWN)
    lines = text.splitlines() if "\n" not in text else text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    kept = tuple(line.removesuffix("\r") for line in lines[:MOST_LINES])
    turning = any(sign in text for sign in TURNING)
    return FileText(kept, language, cut=cut or len(lines) > MOST_LINES, turning=turning)


@dataclass(frozen=True)
class Editable:
    """A text that a form can hold and give back as it was. ending: how its lines end; empty where it cannot be held."""

    text: str
    ending: str
    why_not: str = ""


def editable(data: bytes) -> Editable:
    """Return a file's text for a form, which knows one way to end lines; `why_not` says why it cannot be held."""
    if len(data) > LARGEST_EDITED:
        return Editable("", "", f"It is larger than {LARGEST_EDITED // 1024} KiB.")
    text = as_text(data)
    if text is None:
        return Editable("", "", "It is no text in UTF-8.")
    plain = text.replace("\r\n", "\n")
    if "\r" in plain or ("\r\n" in text and text.count("\n") != text.count("\r\n")):
        return Editable("", "", "Its lines end in more than one way, which a page would change.")
    return Editable(plain, "crlf" if "\r\n" in text else "lf")


def edited(text: str, *, ending: str) -> bytes:
    """Return the bytes of a text that a form has sent. ending: as it was given out."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return (plain.replace("\n", "\r\n") if ending == "crlf" else plain).encode("utf-8", "replace")


def _decoded(data: bytes, *, cut: bool) -> str | None:
    text = as_text(data)
    # A character may be cut at the end of what was read.
    for missing in (1, 2, 3) if cut and text is None else ():
        text = as_text(data[:-missing])
        if text is not None:
            break
    return text
