"""What differs between two states of a project: each file with the lines of its diff, as far as a page has room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from backend.apps.projects.generation_selectors import recorded_files
from backend.apps.projects.models import Project
from backend.apps.projects.services import workspace_diff, workspace_files
from backend.apps.projects.services.history import Comparison, FileChange

LONGEST = 16_000_000
"""Bytes of a patch that are read for a page; of each file only its first lines are kept."""
LONGEST_LINE = 2000
MOST_LINES = 400
"""Lines of one file's diff."""
MOST_LINES_TOGETHER = 3000
MOST_FILES = 300
MOST_COMPARED = 40
LARGEST_COMPARED = 64 * 1024
MOST_COMPARED_TOGETHER = 1024 * 1024
"""Files of a draft of which the lines are compared, and bytes of one and of all: it is done while somebody waits."""
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
    """All of them. more: files that are not listed."""

    files: tuple[ShownChange, ...]
    added: int
    changed: int
    removed: int
    more: int


@dataclass
class _Part:
    """One file's part of a patch, from where its lines begin. cut: whether there is more of it."""

    lines: list[str] = field(default_factory=list)
    cut: bool = False

    def take(self, line: str) -> None:
        if not self.lines and not line.startswith("@@"):
            return
        if len(self.lines) == MOST_LINES:
            self.cut = True
        else:
            self.lines.append(line)


def shown_comparison(comparison: Comparison) -> ShownChanges:
    """Return what differs between two generations."""
    changes = comparison.changes()
    if not changes:
        return _shown(changes, [])
    with comparison.patch() as patch:
        # A file's part of the patch stands where its change does.
        return _shown(changes, _parts(patch))


def shown_draft(project: Project, found: workspace_diff.WorkspaceChanges) -> ShownChanges:
    """Return what a project's workspace has changed."""
    parts = []
    sizes = _sizes(project, found)
    left = MOST_COMPARED_TOGETHER
    for change in found.files[:MOST_COMPARED]:
        parts.append(_Part())
        size = sizes.get(change.path, 0)
        if size > LARGEST_COMPARED or size > left:
            continue
        left -= size
        for line in workspace_diff.patch(project=project, found=found, paths={change.path}).split("\n")[:-1]:
            parts[-1].take(line)
    return _shown(found.files, parts)


def _sizes(project: Project, found: workspace_diff.WorkspaceChanges) -> dict[str, int]:
    """Return the bytes of the files that are compared: of the larger one of both."""
    paths = {change.path for change in found.files[:MOST_COMPARED]}
    there = {each.path: each.size for each in workspace_files.files_of(workspace_files.workspace_of(project))}
    sizes = {path: there.get(path, 0) for path in paths}
    if found.generation is not None:
        rows = recorded_files(found.generation).filter(file_path__in=paths).order_by()
        for path, size in rows.values_list("file_path", "file_size"):
            sizes[path] = max(sizes[path], size)
    return sizes


def _shown(changes: Sequence[FileChange], parts: Sequence[_Part]) -> ShownChanges:
    files: list[ShownChange] = []
    left = MOST_LINES_TOGETHER
    for number, change in enumerate(changes[:MOST_FILES]):
        part = parts[number] if number < len(parts) else _Part()
        lines = tuple(_line(line) for line in part.lines[:left])
        left -= len(lines)
        cut = part.cut or len(lines) < len(part.lines)
        files.append(ShownChange(change, SIGNS[change.status], lines or None, cut=cut))
    counts = {status: sum(change.status == status for change in changes) for status in SIGNS}
    return ShownChanges(tuple(files), more=max(0, len(changes) - MOST_FILES), **counts)


def _line(line: str) -> tuple[str, str]:
    # The end of a line that is no line feed would be drawn as one.
    return KINDS.get(line[:1], "same"), line.replace("\r", "␍")


def _parts(patch: BinaryIO) -> list[_Part]:
    """Return the lines of a patch file by file. Lines of a content begin with a sign, so none looks like a heading."""
    parts: list[_Part] = []
    read, continued = 0, False
    while read < LONGEST and (piece := patch.readline(LONGEST_LINE)):
        read += len(piece)
        # What goes on with a line that is too long is passed over.
        if not continued and piece.startswith(b"diff --git "):
            parts.append(_Part())
        elif not continued and parts:
            parts[-1].take(piece.decode("utf-8", "replace").removesuffix("\n"))
        continued = not piece.endswith(b"\n")
    return parts
