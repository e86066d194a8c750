"""What each generation of a project changed: read from the git store alone, whatever lies in workspaces.

Files are compared by their objects' ids with `git diff-tree`: no attribute, filter or program of the content has a say
in it. A file that moved is one removed and one added. Nothing is changed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, cast
from uuid import UUID

from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.services.git_objects import LONGEST_LISTING
from backend.apps.projects.services.git_process import run, started
from backend.apps.projects.services.git_store import GitStore
from backend.errors import InvalidInput, NotFound

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The id of the tree without anything in it; git knows it in every repository."""
SECONDS = 300.0
SHORTEST = 4
"""Characters that the beginning of an id has at least."""

_HEX = re.compile(rf"[0-9a-f]{{{SHORTEST},40}}")
_STATUS = {"A": "added", "D": "removed", "M": "changed", "T": "changed"}


@dataclass(frozen=True)
class FileChange:
    """One file that differs. Lines are None for a file that is no text.

    status: added, changed or removed. mode_changed: whether it became executable, or no longer is.
    """

    path: str
    status: str
    mode_changed: bool
    lines_added: int | None
    lines_removed: int | None

    @property
    def binary(self) -> bool:
        """Whether it is no text."""
        return self.lines_added is None


@dataclass(frozen=True)
class LoggedGeneration:
    """One generation in a project's log: how many files it added, changed and removed, and its size in bytes."""

    generation: UUID
    commit: str
    when: datetime
    by: str
    status: str
    added: int
    changed: int
    removed: int
    total_files: int
    total_size: int


@dataclass(frozen=True)
class Comparison:
    """Two commits of one project's store; `old` is empty for the state before the first."""

    store: GitStore
    old: str
    new: str

    def changes(self) -> list[FileChange]:
        """Return the files that differ, sorted by path."""
        return _changes(self.store, self.old, self.new, count_lines=True)

    @contextmanager
    def patch(self) -> Iterator[BinaryIO]:
        """Give the unified diff as a stream of bytes, which `git apply` reads; binary files are only named."""
        self.store.bring(self.old, self.new)
        arguments = ("-p", "--no-ext-diff", "--no-textconv", "--full-index", self.old or EMPTY_TREE, self.new)
        # An empty tree as the source of attributes: the content cannot say how it is shown.
        with started(
            *_diff_tree(*arguments),
            git_dir=self.store.path,
            extra={"GIT_ATTR_SOURCE": EMPTY_TREE},
            timeout=SECONDS,
            output_limit=None,
        ) as process:
            yield cast(BinaryIO, process.output)
            # Where it was read to its end, git says whether that was all.
            if not process.output.read(1):
                process.finish()


def generation_log(*, project: Project, limit: int = 20) -> list[LoggedGeneration]:
    """Return the project's newest generations that have a commit, each with what it changed; newest first."""
    store = GitStore.for_project(project.pk)
    found = GeneratedProject.objects.filter(project=project).exclude(commit="").select_related("created_by")
    return [_logged(generation, store) for generation in found.order_by("-completed_at", "-created_at")[:limit]]


def compare(*, project: Project, old: str | None = None, new: str | None = None) -> Comparison:
    """Return the comparison of two generations or commits of a project.

    old, new: the beginning of a generation's or a commit's id. Without both: the newest generation with the one before
    it; with `old` alone: that one with the one before it.
    Raises NotFound for what the project does not have, InvalidInput for what names more than one.
    """
    store = GitStore.for_project(project.pk)
    if new is not None and old is not None:
        return Comparison(store, _commit(project, store, old)[0], _commit(project, store, new)[0])
    if old is not None:
        commit, before = _commit(project, store, old)
        return Comparison(store, before, commit)
    newest = GeneratedProject.objects.filter(project=project).exclude(commit="").order_by("-completed_at").first()
    if newest is None:
        raise NotFound("Nothing has been generated for this project yet.", hint="Generate its files first.")
    return Comparison(store, newest.parent_commit, newest.commit)


def _logged(generation: GeneratedProject, store: GitStore) -> LoggedGeneration:
    changes = _changes(store, generation.parent_commit, generation.commit, count_lines=False)
    counts = {status: sum(change.status == status for change in changes) for status in ("added", "changed", "removed")}
    return LoggedGeneration(
        generation=generation.pk,
        commit=generation.commit,
        when=generation.completed_at or generation.created_at,
        by=generation.created_by.get_username(),
        status=generation.status,
        total_files=generation.total_files,
        total_size=generation.total_size,
        **counts,
    )


def _commit(project: Project, store: GitStore, reference: str) -> tuple[str, str]:
    """Return the commit that a reference names, and the one before it; empty where there is none."""
    wanted = reference.strip().lower()
    generations = GeneratedProject.objects.filter(project=project).exclude(commit="")
    named = [
        row
        for row in generations.only("id", "commit", "parent_commit")
        if len(wanted) >= SHORTEST and (str(row.pk).startswith(wanted) or row.commit.startswith(wanted))
    ]
    if len({row.commit for row in named}) > 1:
        raise InvalidInput(f"{reference!r} is the beginning of more than one id.", hint="Give more of it.")
    if named:
        # Generations of one commit changed the same, or nothing: the first one made it.
        row = min(named, key=lambda row: row.parent_commit == row.commit)
        return row.commit, row.parent_commit
    return _commit_of_store(store, reference, wanted)


def _commit_of_store(store: GitStore, reference: str, wanted: str) -> tuple[str, str]:
    """Return a commit that no generation ends with: an earlier step's."""
    if _HEX.fullmatch(wanted) and store.exists():
        arguments = ("for-each-ref", "--format=%(objectname)", "refs/generations/")
        kept = run(*arguments, git_dir=store.path, output_limit=LONGEST_LISTING).output.decode().split()
        found = {commit for commit in kept if commit.startswith(wanted)}
        if len(found) > 1:
            raise InvalidInput(f"{reference!r} is the beginning of more than one commit's id.", hint="Give more of it.")
        for commit in found:
            return commit, store.log(commit, limit=1)[0].parent or ""
    raise NotFound(
        f"The project has neither a generation nor a commit {reference[:64]!r}.",
        hint="`repomill projects log PROJECT` lists them; four characters of an id are enough.",
    )


def _changes(store: GitStore, old: str, new: str, *, count_lines: bool) -> list[FileChange]:
    if old == new:
        return []
    store.require({commit for commit in (old, new) if commit})
    arguments = ["--raw", *(["--numstat"] if count_lines else []), "-z", old or EMPTY_TREE, new]
    extra = {"GIT_ATTR_SOURCE": EMPTY_TREE}
    output = run(
        *_diff_tree(*arguments), git_dir=store.path, extra=extra, timeout=SECONDS, output_limit=LONGEST_LISTING
    ).output
    return _parsed(output.decode("utf-8", "replace").split("\0")[:-1])


def _diff_tree(*arguments: str) -> tuple[str, ...]:
    return ("diff-tree", "-r", "--no-renames", "--no-color", *arguments)


def _parsed(parts: list[str]) -> list[FileChange]:
    """Read `:mode mode id id status`, path ..., and then `added removed path` of each file once more, if asked for."""
    changes: dict[str, FileChange] = {}
    rest = iter(parts)
    for part in rest:
        if part.startswith(":"):
            old_mode, new_mode, _, _, letter = part[1:].split(" ")
            path, status = next(rest), _STATUS[letter[0]]
            mode_changed = status == "changed" and old_mode != new_mode
            changes[path] = FileChange(path, status, mode_changed, 0, 0)
        else:
            added, removed, path = part.split("\t", 2)
            was = changes[path]
            lines = (None, None) if added == "-" else (int(added), int(removed))
            changes[path] = FileChange(path, was.status, was.mode_changed, *lines)
    return list(changes.values())
