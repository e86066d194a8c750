"""What all pages share: a heading, tables, and the note that says where the page comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NOTE = "<!-- Written by `make reference` from the code; a test holds it fresh. Change the code, not this page. -->"


def page(title: str, lead: str, *parts: str) -> str:
    """Return a page of Markdown."""
    return "\n\n".join([NOTE, f"# {title}", lead, *(part for part in parts if part)]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; empty without rows."""
    lines = [f"| {' | '.join(cell(text) for text in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *lines])


def cell(text: str) -> str:
    """Return text that stays in one cell."""
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def code(text: str) -> str:
    """Return text as code; nothing for nothing."""
    return f"`{text}`" if text else ""


def plain(text: str) -> str:
    """Return running text in which angle brackets are no HTML."""
    return re.sub(r"(`[^`]*`)|<", lambda found: found.group(1) or "&lt;", text)
