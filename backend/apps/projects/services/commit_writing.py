"""Writing one commit into a git store: a pack with what the store lacks of it, made here and checked by git.

The content is taken over byte for byte, from a tree that is read once. Nothing here gives the commit a name, so nobody
sees it before `git_store` does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from backend.apps.projects.errors import WorkspaceBusy
from backend.apps.projects.services.changed_tree import ChangedTree, Held, written
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
from backend.apps.projects.services.git_objects import TreeFile, directories_above
from backend.apps.projects.services.pack_format import BLOB, COMMIT, EXECUTABLE, PLAIN, TREE, identifier
from backend.apps.projects.services.pack_writer import Installation, PackWriter, installing
from backend.apps.projects.services.workspace import Entry
from backend.apps.projects.services.zip_writer import AT_ONCE
from backend.errors import InvalidInput

AUTHOR = b"Repomill <repomill@localhost>"


@dataclass(frozen=True)
class WrittenCommit:
    """A commit that is in the store, or was found to change nothing: ids in hex.

    trees: id and data of the directories that were made for it, the root last; what else it holds was there before.
    """

    commit: str
    tree: str
    trees: list[tuple[bytes, bytes]]


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
        count = len(files) + len(directories_above(entry.path for entry in files)) + 2
        with self._installing(count=count) as installation, tree.reading() as opener:
            for entry in files:
                with opener(entry.path) as stream:
                    content, file = _add(installation.writer, stream, entry)
                read.append(content)
                stored.append(file)
            trees = trees_of(stored)
            made = self._unchanged(trees) or self._finish(installation, trees)
        return made, Content(files=tuple(read), empty_directories=empty_directories(entries))

    def write_changes(
        self, changes: Changes, *, root: bytes, read: Callable[[Sequence[bytes]], Iterable[bytes]]
    ) -> tuple[WrittenCommit, ChangedTree]:
        """Commit what a tree in the store becomes with changes.

        root: that tree's id; read: see `ChangedTree`. Raises GitFailed.
        """
        files = {new.path: (_mode(new.executable), identifier(BLOB, new.data)) for new in changes.files}
        changed = ChangedTree(root, files=files, removed=changes.removed, read=read)
        if unchanged := self._unchanged(changed.trees):
            return unchanged, changed
        new_trees = sum(name not in changed.known for name, _ in changed.trees)
        with self._installing(count=len(changes.files) + new_trees + 1, known=changed.known) as installation:
            for new in changes.files:
                installation.writer.add(BLOB, new.data, name=files[new.path][1])
            return self._finish(installation, changed.trees), changed

    def _finish(self, installation: Installation, trees: list[tuple[bytes, bytes]]) -> WrittenCommit:
        for name, data in trees:
            installation.writer.add(TREE, data, name=name)
        tree = trees[-1][0].hex()
        commit = installation.writer.add(COMMIT, self._commit(tree)).hex()
        installation.finish()
        return WrittenCommit(commit, tree, trees)

    def _unchanged(self, trees: list[tuple[bytes, bytes]]) -> WrittenCommit | None:
        """Return the parent where it has the same tree; None where a commit is to be made."""
        tree = trees[-1][0].hex()
        if self.parent is None or self.parent_tree != tree:
            return None
        return WrittenCommit(self.parent, tree, trees)

    def _installing(self, *, count: int, known: Collection[bytes] = ()) -> AbstractContextManager[Installation]:
        return installing(
            self.git_dir,
            count=count,
            label=self.label.encode(),
            known=known,
            options=self.options,
            timeout=self.timeout,
        )

    def _commit(self, tree: str) -> bytes:
        stamp = b"%b %d +0000" % (AUTHOR, int(self.when.timestamp()))
        lines = [b"tree %b" % tree.encode()]
        if self.parent is not None:
            lines.append(b"parent %b" % self.parent.encode())
        lines += [b"author " + stamp, b"committer " + stamp, b"", self.message.encode()]
        return b"\n".join(lines)


def trees_of(files: Iterable[TreeFile]) -> list[tuple[bytes, bytes]]:
    """Return id and data of the trees that hold these files, from the deepest to the root."""
    held: dict[str, Held] = {"": {}}
    for file in files:
        parent, _, name = file.path.rpartition("/")
        above = parent
        while above not in held:
            held[above] = {}
            above = above.rpartition("/")[0]
        held[parent][name] = (file.mode, file.binsha)
    return written(held)


def _mode(executable: bool) -> int:
    return EXECUTABLE if executable else PLAIN


def _add(pack: PackWriter, stream: BinaryIO, entry: Entry) -> tuple[ContentFile, TreeFile]:
    mode = _mode(entry.executable)
    # Compressed at once up to the size to which a zip does, so that it can take the bytes over.
    if entry.size <= AT_ONCE:
        data = stream.read(entry.size + 1)
        if len(data) != entry.size:
            raise _changed(entry)
        content = content_file(entry.path, data, executable=entry.executable)
        return content, TreeFile(pack.add(BLOB, data), mode, entry.path)
    reading = Reading(entry)
    try:
        identifier = pack.add_blob(_watched(stream, reading), size=entry.size)
    except ValueError as error:
        raise _changed(entry) from error
    return reading.finish(), TreeFile(identifier, mode, entry.path)


def _watched(stream: BinaryIO, reading: Reading) -> Iterator[bytes]:
    for chunk in chunks(stream):
        reading.take(chunk)
        yield chunk


def _changed(entry: Entry) -> WorkspaceBusy:
    return WorkspaceBusy(f"{entry.path!r} changed while it was read.", hint="Try again when nobody writes.")
