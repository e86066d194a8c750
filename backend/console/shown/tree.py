"""Files as a tree: directories first, those that hold nothing but one directory drawn together with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MOST_WHOLE = 400
"""Files up to which the whole tree is drawn; with more a page shows one directory at a time."""
MOST_LISTED = 1000
"""Entries of one directory that a page shows."""


@dataclass(frozen=True)
class Node:
    """A file, or a directory with what it holds. opened: whether the chosen file lies in it.

    children: None for a directory that has a page of its own.
    """

    name: str
    path: str
    files: int
    size: int
    is_directory: bool
    children: tuple[Node, ...] | None = None
    opened: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Tree:
    """A directory's files. above: its parts, each with its path. more: entries that are not shown."""

    nodes: tuple[Node, ...]
    files: int
    size: int
    above: tuple[tuple[str, str], ...]
    more: int

    @property
    def parent(self) -> str:
        """The directory that this one lies in."""
        return self.above[-2][1] if len(self.above) > 1 else ""


@dataclass
class _Directory:
    directories: dict[str, _Directory] = field(default_factory=dict)
    own: list[tuple[str, int]] = field(default_factory=list)
    files: int = 0
    size: int = 0


def tree_of(files: Iterable[tuple[str, int]], *, below: str = "", chosen: str = "") -> Tree:
    """Return the tree of files, each a path and its bytes. below: only this directory. chosen: a file that is shown."""
    prefix = f"{below}/" if below else ""
    root = _Directory()
    for path, size in files:
        if path.startswith(prefix):
            _put(root, path[len(prefix) :].split("/"), size)
    whole = root.files <= MOST_WHOLE
    nodes = _nodes(root, prefix, whole=whole, chosen=chosen)
    parts = below.split("/") if below else []
    above = tuple((part, "/".join(parts[: number + 1])) for number, part in enumerate(parts))
    return Tree(tuple(nodes[:MOST_LISTED]), root.files, root.size, above, max(0, len(nodes) - MOST_LISTED))


def directory_of(path: str) -> str:
    """Return the directory that a file lies in."""
    return path.rpartition("/")[0]


def _put(root: _Directory, parts: list[str], size: int) -> None:
    at = root
    for part in parts[:-1]:
        at.files, at.size = at.files + 1, at.size + size
        at = at.directories.setdefault(part, _Directory())
    at.files, at.size = at.files + 1, at.size + size
    at.own.append((parts[-1], size))


def _nodes(directory: _Directory, prefix: str, *, whole: bool, chosen: str) -> list[Node]:
    found = []
    for first, first_child in sorted(directory.directories.items()):
        name, child = first, first_child
        while not child.own and len(child.directories) == 1:
            [(inner, child)] = child.directories.items()
            name = f"{name}/{inner}"
        path = prefix + name
        found.append(
            Node(
                name=name,
                path=path,
                files=child.files,
                size=child.size,
                is_directory=True,
                children=tuple(_nodes(child, f"{path}/", whole=True, chosen=chosen)) if whole else None,
                opened=chosen.startswith(f"{path}/"),
            )
        )
    for name, size in sorted(directory.own):
        path = prefix + name
        found.append(Node(name=name, path=path, files=1, size=size, is_directory=False, chosen=path == chosen))
    return found
