"""The files that a dry run would generate against those that the project has: contents and diffs, within limits.

It reads the project's git store and changes nothing. Diffs are made here and not by git, which would need both sides in
its store.
"""

from __future__ import annotations

from collections.abc import Iterator

from backend.apps.projects.models import GeneratedProject
from backend.apps.projects.selectors import newest_generation
from backend.apps.projects.services.content import Content, ContentFile
from backend.apps.projects.services.dry_generation import NOTHING, DryGeneration
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.recorded_files import recorded_content
from backend.apps.projects.services.text_diff import as_text, unified
from backend.apps.workflows.file_trees import FileTree, ShownFile
from backend.errors import NotFound

MOST_FILES = 1000
LONGEST_TEXT = 64 * 1024
"""Bytes of a file from which on only its beginning is shown, and no diff."""
LONGEST_IN_ALL = 2 * 1024 * 1024
"""Characters of all contents and diffs together; files after that are named only."""

ADDED, CHANGED, REMOVED, UNCHANGED = "added", "changed", "removed", "unchanged"


def tree_of(generation: DryGeneration) -> FileTree | None:
    """Return the tree; None where the run generates nothing at all."""
    if generation.content is None and not generation.incomplete:
        return None
    present = newest_generation(project=generation.project, execution_id=None) if generation.project else None
    return _Drawing(generation, present).tree()


class _Drawing:
    def __init__(self, generation: DryGeneration, present: GeneratedProject | None) -> None:
        self.generation = generation
        self.present = present
        content = recorded_content(present) if present else None
        self.before = {file.path: file for file in (content or NOTHING).files}
        self.after = {file.path: file for file in (generation.content or NOTHING).files}
        self.incomplete = list(dict.fromkeys(generation.incomplete))
        if present and content is None:
            self.incomplete.append(
                "What the project has is not recorded as it was committed; everything counts as new."
            )
        self.left = LONGEST_IN_ALL

    def tree(self) -> FileTree:
        statuses = {path: self._status(path) for path in sorted({*self.before, *self.after})}
        # What differs is what one wants to see; the rest fills up what room there is.
        shown = sorted(statuses, key=lambda path: (statuses[path] == UNCHANGED, path))[:MOST_FILES]
        old = dict(self._old_bytes([path for path in shown if statuses[path] in {CHANGED, REMOVED}]))
        files = [self._file(path, statuses[path], old.get(path)) for path in sorted(shown)]
        count = {status: list(statuses.values()).count(status) for status in (ADDED, CHANGED, REMOVED, UNCHANGED)}
        content = self.generation.content or Content((), ())
        return FileTree(
            files=tuple(files),
            directories=content.empty_directories[:MOST_FILES],
            more=len(statuses) - len(files),
            total_size=content.size,
            against=str(self.present.pk) if self.present else None,
            incomplete=tuple(self.incomplete),
            **count,
        )

    def _status(self, path: str) -> str:
        before, after = self.before.get(path), self.after.get(path)
        if before is None or after is None:
            return ADDED if before is None else REMOVED
        return UNCHANGED if (before.digest, before.executable) == (after.digest, after.executable) else CHANGED

    def _file(self, path: str, status: str, old: bytes | None) -> ShownFile:
        file: ContentFile = self.after.get(path) or self.before[path]
        known = self.generation.data.get(path)
        new = known.data if known else None
        content = self._content(new) if new is not None and status in {ADDED, CHANGED} else None
        diff = self._diff(path, old, b"" if status == REMOVED else new) if old is not None else None
        return ShownFile(
            path=path,
            status=status,
            size=file.size,
            executable=file.executable,
            content=content,
            diff=diff,
            cut=status != UNCHANGED and self._is_cut(new, content, status, diff),
            open=new is not None and any(mark in new for mark in self.generation.open_marks),
        )

    def _is_cut(self, new: bytes | None, content: str | None, status: str, diff: str | None) -> bool:
        if status == REMOVED:
            return diff is None
        if new is None:
            return True
        return as_text(new) is not None and (content is None or len(new) > LONGEST_TEXT)

    def _content(self, data: bytes) -> str | None:
        text = as_text(data)
        return None if text is None else self._within(text[:LONGEST_TEXT])

    def _diff(self, path: str, old: bytes, new: bytes | None) -> str | None:
        before, after = as_text(old), None if new is None else as_text(new)
        if before is None or after is None or max(len(old), len(new or b"")) > LONGEST_TEXT:
            return None
        lines = unified(before, after, old=f"a/{path}", new="/dev/null" if path not in self.after else f"b/{path}")
        return None if lines is None else self._within("".join(lines))

    def _within(self, text: str) -> str | None:
        """Return the text if there is room for it."""
        if len(text) > self.left:
            return None
        self.left -= len(text)
        return text

    def _old_bytes(self, paths: list[str]) -> Iterator[tuple[str, bytes]]:
        wanted = [path for path in paths if self.before[path].size <= LONGEST_TEXT]
        if not wanted or self.present is None:
            return
        try:
            with GitStore.for_project(self.present.project_id).tree(self.present.commit) as tree:
                for path, data, _ in tree.contents(wanted):
                    yield path, data
        except NotFound:
            self.incomplete.append("What the project has is not in its git store any more, so there are no diffs.")
