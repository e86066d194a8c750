"""What the tree of a commit becomes with changes: of its directories, only those on the way to a change are read.

What lies elsewhere is taken over by the id of its tree, so that it costs what the changes cost and not what the project
does. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby

from backend.apps.projects.services.content import ContentFile
from backend.apps.projects.services.git_objects import directories_above
from backend.apps.projects.services.pack_format import (
    DIRECTORY,
    EXECUTABLE,
    TREE,
    identifier,
    tree_data,
    tree_entries,
)

Held = dict[str, tuple[int, bytes]]
"""What one directory holds: mode and id by name."""


class ChangedTree:
    """The directories of a tree that lead to changes, opened, and the tree that comes of them.

    root: the tree's id. files: mode and id of what is new or different, by path; removed: paths of files that go.
    read: gives tree objects by their ids.
    """

    def __init__(
        self,
        root: bytes,
        *,
        files: Mapping[str, tuple[int, bytes]],
        removed: Collection[str],
        read: Callable[[Sequence[bytes]], Iterable[bytes]],
    ) -> None:
        self.known = {root}
        """Ids of trees and blobs that were there before, of those that were seen."""
        self._directories: dict[str, Held] = {}
        self._open([""], [root], read)
        above = sorted(directories_above([*files, *removed]), key=depth)
        for _, level in groupby(above, key=depth):
            self._open_level(list(level), read)
        self._change(files, removed)
        self.trees = self._written()
        """Id and data of every directory that was opened and still holds something, from the deepest to the root."""

    def holds(self, files: Iterable[ContentFile]) -> bool:
        """Return whether it is a tree of these files, as far as names and modes in opened directories say."""
        expected: dict[str, dict[str, int | bool]] = {path: {} for path in self._directories}
        for file in files:
            parent, _, name = file.path.rpartition("/")
            kind: int | bool = file.executable
            while parent not in expected:
                parent, _, name = parent.rpartition("/")
                kind = DIRECTORY
            expected[parent][name] = kind
            # Directories that were opened are held by those above them, up to one that is noted already.
            while parent:
                parent, _, name = parent.rpartition("/")
                if expected[parent].get(name) == DIRECTORY:
                    break
                expected[parent][name] = DIRECTORY
        found = {
            path: {name: mode if mode == DIRECTORY else mode == EXECUTABLE for name, (mode, _) in held.items()}
            for path, held in self._directories.items()
        }
        return found == expected

    def _open_level(self, paths: list[str], read: Callable[[Sequence[bytes]], Iterable[bytes]]) -> None:
        """Open directories of one depth, whose parents are open; those that are missing hold nothing yet."""
        there = {}
        for path in paths:
            parent, _, name = path.rpartition("/")
            mode, binsha = self._directories[parent].get(name, (0, b""))
            if mode == DIRECTORY:
                there[path] = binsha
        self._directories |= {path: {} for path in paths}
        self._open(list(there), list(there.values()), read)

    def _open(
        self, paths: Sequence[str], ids: Sequence[bytes], read: Callable[[Sequence[bytes]], Iterable[bytes]]
    ) -> None:
        for path, data in zip(paths, read(ids), strict=True):
            held = {name.decode(): (mode, binsha) for mode, name, binsha in tree_entries(data)}
            self.known.update(binsha for _, binsha in held.values())
            self._directories[path] = held

    def _change(self, files: Mapping[str, tuple[int, bytes]], removed: Collection[str]) -> None:
        for path in removed:
            held, name = self._place(path)
            if held.get(name, (DIRECTORY, b""))[0] != DIRECTORY:
                del held[name]
        for path, entry in files.items():
            held, name = self._place(path)
            held[name] = entry

    def _written(self) -> list[tuple[bytes, bytes]]:
        written = []
        for path in sorted(self._directories, key=depth, reverse=True):
            held = self._directories[path]
            if held or not path:
                data = tree_data(held)
                written.append((identifier(TREE, data), data))
            if path:
                above, name = self._place(path)
                if held:
                    above[name] = (DIRECTORY, written[-1][0])
                elif above.get(name, (0, b""))[0] == DIRECTORY:
                    del above[name]
        return written

    def _place(self, path: str) -> tuple[Held, str]:
        parent, _, name = path.rpartition("/")
        return self._directories[parent], name


def depth(path: str) -> int:
    """Return how many names a directory's path has; 0 for the root's, which is empty."""
    return path.count("/") + 1 if path else 0
