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
        self._read = read
        self._directories: dict[str, Held] = {}
        self._open([""], [root])
        above = sorted(directories_above([*files, *removed]), key=_depth)
        for _, level in groupby(above, key=_depth):
            self._open_level(list(level))
        self._change(files, removed)
        self.trees = written(self._directories)
        """Id and data of every directory that was opened and still holds something, from the deepest to the root."""

    def holds(self, files: Iterable[ContentFile]) -> bool:
        """Return whether it is a tree of these files, as far as names and modes in opened directories say."""
        expected: dict[str, dict[str, int | bool]] = {path: {} for path in self._directories}
        for file in files:
            path: str = file.path
            kind: int | bool = file.executable
            while path:
                parent, _, name = path.rpartition("/")
                if parent in expected:
                    if name in expected[parent]:
                        # And so is all that is above it.
                        break
                    expected[parent][name] = kind
                path, kind = parent, DIRECTORY
        found = {
            path: {name: mode if mode == DIRECTORY else mode == EXECUTABLE for name, (mode, _) in held.items()}
            for path, held in self._directories.items()
        }
        return found == expected

    def _open_level(self, paths: list[str]) -> None:
        """Open directories of one depth, whose parents are open; those that are missing hold nothing yet."""
        there = {}
        for path in paths:
            parent, _, name = path.rpartition("/")
            mode, binsha = self._directories[parent].get(name, (0, b""))
            if mode == DIRECTORY:
                there[path] = binsha
        self._directories |= {path: {} for path in paths}
        self._open(list(there), list(there.values()))

    def _open(self, paths: Sequence[str], ids: Sequence[bytes]) -> None:
        for path, data in zip(paths, self._read(ids), strict=True):
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

    def _place(self, path: str) -> tuple[Held, str]:
        parent, _, name = path.rpartition("/")
        return self._directories[parent], name


def written(directories: Mapping[str, Held]) -> list[tuple[bytes, bytes]]:
    """Return id and data of the trees of these directories, from the deepest to the root, and enter each above it.

    directories: by path, with every one above them. One that holds nothing has no tree, but for the root.
    """
    made = []
    for path in sorted(directories, key=_depth, reverse=True):
        held = directories[path]
        if held or not path:
            data = tree_data(held)
            made.append((identifier(TREE, data), data))
        if path:
            parent, _, name = path.rpartition("/")
            above = directories[parent]
            if held:
                above[name] = (DIRECTORY, made[-1][0])
            elif above.get(name, (0, b""))[0] == DIRECTORY:
                del above[name]
    return made


def _depth(path: str) -> int:
    return path.count("/") + 1 if path else 0
