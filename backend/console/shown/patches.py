"""What differs between two states of a project: each file with the lines of its diff, as far as a page has room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.apps.projects.models import Project
from backend.apps.projects.services import workspace_diff
from backend.apps.projects.services.history import Comparison, FileChange

LONGEST = 400_000
"""Bytes of a patch that are read for a page."""
MOST_LINES = 400
"""Lines of one file's diff."""
MOST_LINES_TOGETHER = 3000
MOST_FILES = 300
MOST_COMPARED = 40
"""Files of a draft of which the lines are compared."""
KINDS = {"+": "added", "-": "removed", "@": "place", "\\": "place"}
SIGNS = {"added": "+", "changed": "~", "removed": "−"}  # noqa: RUF001  (a minus sign)


@dataclass(frozen=True)
class ShownChange:
    """One file. lines: None where they are not shown. cut: whether there are more of them."""

    change: FileChange
    sign: str
    lines: tuple[tuple[str, str], ...] | None
    cut: bool = False


@dataclass(frozen=True)
class ShownChanges:
    """All of them. more: files that are not listed. whole: whether every line is there."""

    files: tuple[ShownChange, ...]
    added: int
    changed: int
    removed: int
    more: int
    whole: bool


def shown_comparison(comparison: Comparison) -> ShownChanges:
    """Return what differs between two generations."""
    changes = comparison.changes()
    if not changes:
        return _shown(changes, [])
    with comparison.patch() as patch:
        text = patch.read(LONGEST)
    # A file's part of the patch stands where its change does; the last one may be cut.
    parts = _parts(text.decode("utf-8", "replace"))
    return _shown(changes, parts if len(text) < LONGEST else parts[:-1])


def shown_draft(project: Project, found: workspace_diff.WorkspaceChanges) -> ShownChanges:
    """Return what a project's workspace has changed."""
    parts = [
        workspace_diff.patch(project=project, found=found, paths={change.path}).split("\n")
        for change in found.files[:MOST_COMPARED]
    ]
    return _shown(found.files, [part if part and part[0].startswith("---") else [] for part in parts])


def _shown(changes: Sequence[FileChange], parts: Sequence[Sequence[str]]) -> ShownChanges:
    files: list[ShownChange] = []
    left = MOST_LINES_TOGETHER
    for number, change in enumerate(changes[:MOST_FILES]):
        lines = _hunks(parts[number]) if number < len(parts) else []
        room = min(left, MOST_LINES)
        shown = tuple(_line(line) for line in lines[:room]) if lines and room > 0 else None
        left -= len(shown or ())
        files.append(ShownChange(change, SIGNS[change.status], shown, cut=bool(lines) and len(lines) > room))
    counts = {status: sum(change.status == status for change in changes) for status in SIGNS}
    left_out = any(file.cut or (file.lines is None and file.change.lines_added) for file in files)
    more = max(0, len(changes) - MOST_FILES)
    return ShownChanges(tuple(files), more=more, whole=not (left_out or more), **counts)


def _line(line: str) -> tuple[str, str]:
    # The end of a line that is no line feed would be drawn as one.
    return KINDS.get(line[:1], "same"), line.replace("\r", "␍")


def _parts(patch: str) -> list[list[str]]:
    """Return the lines of a patch file by file. Lines of a content begin with a sign, so none looks like a heading."""
    parts: list[list[str]] = []
    for line in patch.split("\n"):
        if line.startswith("diff --git "):
            parts.append([])
        if parts:
            parts[-1].append(line)
    return parts


def _hunks(part: Sequence[str]) -> list[str]:
    """Return what follows the names of the two files."""
    beginning = next((number for number, line in enumerate(part) if line.startswith("@@")), None)
    lines = list(part[beginning:]) if beginning is not None else []
    while lines and lines[-1] == "":
        lines.pop()
    return lines
