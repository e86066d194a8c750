"""Writing one commit into a git store: a pack with what the store lacks of it, made here and checked by git.

The content is taken over byte for byte, from a tree that is read once. Nothing here gives the commit a name, so nobody
sees it before `git_store` does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from backend.apps.projects.errors import WorkspaceBusy
from backend.apps.projects.services.changes import Changes
from backend.apps.projects.services.content import (
    Content,
    ContentFile,
    Reading,
    Tree,
    chunks,
    content_file,
    empty_directories,
)
from backend.apps.projects.services.pack_format import BLOB, COMMIT, DIRECTORY, EXECUTABLE, PLAIN, TREE
from backend.apps.projects.services.pack_writer import PackWriter
from backend.apps.projects.services.workspace import Entry
from backend.errors import InvalidInput

SMALL = 1024 * 1024
"""Bytes of a file that is read at once."""
BUFFER = 1024 * 1024
AUTHOR = b"Repomill <repomill@localhost>"


@dataclass(frozen=True)
class StoredFile:
    """A file as git should have it: `mode` as in a tree, `identifier` the 20 bytes of its blob's id."""

    path: str
    mode: int
    identifier: bytes


@dataclass(frozen=True)
class WrittenCommit:
    """A commit that is in the store, or was found to change nothing: ids in hex, and the files that it should have."""

    commit: str
    tree: str
    files: list[StoredFile]


@dataclass(frozen=True)
class CommitWriter:
    """Makes one commit in a store.

    parent: a full commit id that the store has; parent_tree: that commit's tree. A commit of the same tree is not made:
    the parent stands for it.
    label: bytes that no other commit's making has.
    """

    git_dir: Path
    options: tuple[str, ...]
    timeout: float
    message: str
    when: datetime
    label: str
    parent: str | None = None
    parent_tree: str | None = None

    def write(self, tree: Tree) -> tuple[WrittenCommit, Content]:
        """Commit a whole tree, and return what was read of it too.

        Raises InvalidInput for a tree without a file, WorkspaceBusy for a file that changes, GitFailed.
        """
        entries = tuple(tree.entries())
        files = [entry for entry in entries if not entry.is_directory]
        if not files:
            raise InvalidInput("There is nothing to commit: no file was generated.", hint="Generate at least one file.")
        read, stored = [], []
        with self._pack() as pack, tree.reading() as opener:
            for entry in files:
                with opener(entry.path) as stream:
                    content, file = _add(pack, stream, entry)
                read.append(content)
                stored.append(file)
            made = self._finish(pack, stored)
        return made, Content(files=tuple(read), empty_directories=empty_directories(entries))

    def write_changes(self, changes: Changes, *, base: Iterable[StoredFile], known: Collection[bytes]) -> WrittenCommit:
        """Commit what a tree in the store becomes with changes.

        base: its files. known: ids of blobs and trees that the store has. Raises GitFailed.
        """
        left = {file.path: file for file in base}
        for path in changes.removed:
            left.pop(path, None)
        with self._pack(known) as pack:
            for new in changes.files:
                left[new.path] = StoredFile(new.path, _mode(new.executable), pack.add(BLOB, new.data))
            return self._finish(pack, [left[path] for path in sorted(left)])

    def _finish(self, pack: PackWriter, files: list[StoredFile]) -> WrittenCommit:
        tree = add_trees(pack, files).hex()
        if self.parent is not None and self.parent_tree == tree:
            return WrittenCommit(self.parent, tree, files)
        commit = pack.add(COMMIT, self._commit(tree)).hex()
        pack.install(self.git_dir, options=self.options, timeout=self.timeout)
        return WrittenCommit(commit, tree, files)

    @contextmanager
    def _pack(self, known: Collection[bytes] = ()) -> Iterator[PackWriter]:
        # Beside the packs, where there has to be room for it anyway; it has no name, so nothing is left of it.
        folder = self.git_dir / "objects" / "pack"
        with tempfile.TemporaryFile(dir=folder, prefix="tmp_", buffering=BUFFER) as file:
            yield PackWriter(cast(BinaryIO, file), label=self.label.encode(), known=known)

    def _commit(self, tree: str) -> bytes:
        stamp = b"%b %d +0000" % (AUTHOR, int(self.when.timestamp()))
        lines = [b"tree %b" % tree.encode()]
        if self.parent is not None:
            lines.append(b"parent %b" % self.parent.encode())
        lines += [b"author " + stamp, b"committer " + stamp, b"", self.message.encode()]
        return b"\n".join(lines)


def add_trees(pack: PackWriter, files: Iterable[StoredFile]) -> bytes:
    """Add the trees that hold these files, from the deepest to the root, and return the root's id."""
    held: dict[str, list[tuple[bytes, bytes]]] = {"": []}
    for file in files:
        parent, _, name = file.path.rpartition("/")
        above = parent
        while above not in held:
            held[above] = []
            above = above.rpartition("/")[0]
        held[parent].append((name.encode(), _entry(file.mode, name, file.identifier)))
    for path in sorted(held, key=_depth, reverse=True):
        # Git sorts a directory as if its name ended with a slash.
        made = pack.add(TREE, b"".join(line for _, line in sorted(held.pop(path))))
        if not path:
            return made
        parent, _, name = path.rpartition("/")
        held[parent].append((f"{name}/".encode(), _entry(DIRECTORY, name, made)))
    raise AssertionError("unreachable: the root comes last")


def _depth(path: str) -> int:
    return path.count("/") + 1 if path else 0


def _entry(mode: int, name: str, identifier: bytes) -> bytes:
    return b"%o %b\0%b" % (mode, name.encode(), identifier)


def _mode(executable: bool) -> int:
    return EXECUTABLE if executable else PLAIN


def _add(pack: PackWriter, stream: BinaryIO, entry: Entry) -> tuple[ContentFile, StoredFile]:
    mode = _mode(entry.executable)
    if entry.size <= SMALL:
        data = stream.read(entry.size + 1)
        if len(data) != entry.size:
            raise _changed(entry)
        content = content_file(entry.path, data, executable=entry.executable)
        return content, StoredFile(entry.path, mode, pack.add(BLOB, data))
    reading = Reading(entry)
    try:
        identifier = pack.add_blob(_watched(stream, reading), size=entry.size)
    except ValueError as error:
        raise _changed(entry) from error
    return reading.finish(), StoredFile(entry.path, mode, identifier)


def _watched(stream: BinaryIO, reading: Reading) -> Iterator[bytes]:
    for chunk in chunks(stream):
        reading.take(chunk)
        yield chunk


def _changed(entry: Entry) -> WorkspaceBusy:
    return WorkspaceBusy(f"{entry.path!r} changed while it was read.", hint="Try again when nobody writes.")
