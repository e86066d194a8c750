"""Writing one commit into a git store: a pack with what the store lacks of it, made here and checked by git.

The content is taken over byte for byte. Nothing here gives the commit a name: nobody sees it before `git_store` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backend.apps.projects.services.changed_tree import ChangedTree
from backend.apps.projects.services.changes import Changes
from backend.apps.projects.services.pack_format import BLOB, COMMIT, EXECUTABLE, PLAIN, TREE, identifier
from backend.apps.projects.services.pack_writer import Installation, installing

AUTHOR = b"Repomill <repomill@localhost>"


@dataclass(frozen=True)
class WrittenCommit:
    """A commit that is in the store, or was found to change nothing: ids in hex."""

    commit: str
    tree: str


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

    def write(
        self, changes: Changes, *, root: bytes, read: Callable[[Sequence[bytes]], Iterable[bytes]]
    ) -> tuple[WrittenCommit, ChangedTree]:
        """Commit what a tree becomes with changes.

        root: that tree's id, in the store or the empty one's; read: see `ChangedTree`. Raises GitFailed.
        """
        files = {new.path: (_mode(new.executable), identifier(BLOB, new.data)) for new in changes.files}
        changed = ChangedTree(root, files=files, removed=changes.removed, read=read)
        if unchanged := self._unchanged(changed.trees):
            return unchanged, changed
        new_trees = sum(name not in changed.known for name, _ in changed.trees)
        with installing(
            self.git_dir,
            count=len(changes.files) + new_trees + 1,
            label=self.label.encode(),
            known=changed.known,
            options=self.options,
            timeout=self.timeout,
        ) as installation:
            for new in changes.files:
                installation.writer.add(BLOB, new.data, name=files[new.path][1])
            return self._finish(installation, changed.trees), changed

    def _finish(self, installation: Installation, trees: list[tuple[bytes, bytes]]) -> WrittenCommit:
        for name, data in trees:
            installation.writer.add(TREE, data, name=name)
        tree = trees[-1][0].hex()
        commit = installation.writer.add(COMMIT, self._commit(tree)).hex()
        installation.finish()
        return WrittenCommit(commit, tree)

    def _unchanged(self, trees: list[tuple[bytes, bytes]]) -> WrittenCommit | None:
        """Return the parent where it has the same tree; None where a commit is to be made."""
        tree = trees[-1][0].hex()
        if self.parent is None or self.parent_tree != tree:
            return None
        return WrittenCommit(self.parent, tree)

    def _commit(self, tree: str) -> bytes:
        stamp = b"%b %d +0000" % (AUTHOR, int(self.when.timestamp()))
        lines = [b"tree %b" % tree.encode()]
        if self.parent is not None:
            lines.append(b"parent %b" % self.parent.encode())
        lines += [b"author " + stamp, b"committer " + stamp, b"", self.message.encode()]
        return b"\n".join(lines)


def _mode(executable: bool) -> int:
    return EXECUTABLE if executable else PLAIN
