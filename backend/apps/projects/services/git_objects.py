"""Reading commits, trees and files back from a git store.

GitPython understands the objects; the bytes come from one `git cat-file` with `git_process`'s environment, and whole
trees are listed by one `git ls-tree`, which takes a fortieth of the time of asking for each directory. No command is
started through GitPython: it would hand on this process's whole environment, and its own pure-Python database keeps
files open for as long as a worker lives. A tree with a name that some system would take for git's own, or that
leads elsewhere, is refused.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

from git import Commit, Repo
from gitdb.base import OInfo, OStream

from backend.apps.projects.services.content import CHUNK
from backend.apps.projects.services.git_process import GitProcess, run, started
from backend.apps.projects.services.paths import broken_rule, invalid_path
from backend.apps.projects.services.workspace import Entry
from backend.errors import NotFound

COMMIT = re.compile(r"[0-9a-f]{40}")
READING_SECONDS = 900.0
# As many paths as a project may have, each as long as one may be.
LONGEST_LISTING = 256 * 1024 * 1024
# Requests that are under way at once: they fit into the pipe, so neither side waits for the other for ever.
AT_ONCE = 64
_DANGEROUS = frozenset(["dotgit", "dot", "dotdot"])
# No other name is dangerous: one that begins with a dot or a G, is empty, or has anything but plain characters.
_worth_a_look = re.compile(r"(?:^|/)(?:[./gG]|$)|[^A-Za-z0-9_./-]")


class TreeFile(NamedTuple):
    """One file of a tree: its blob's id as 20 bytes, its mode, and its path."""

    binsha: bytes
    mode: int
    path: str


class Objects:
    """The object database that GitPython reads from: `odb` of a repository, and the repository itself."""

    def __init__(self, process: GitProcess, *, git_dir: Path) -> None:
        self._process = process
        self._git_dir = git_dir
        self.odb = self

    def commit(self, commit: str) -> Commit:
        """Return a commit by its full id, read. Raises NotFound."""
        if not COMMIT.fullmatch(commit):
            raise NotFound(f"{commit[:64]!r} is not a commit's full id.")
        found = Commit(cast(Repo, self), bytes.fromhex(commit))
        if self.info(found.binsha).type != b"commit":
            raise NotFound(f"{commit} is not a commit.")
        return found

    def has(self, identifier: str) -> bool:
        """Return whether the store has an object of this id."""
        try:
            self.info(bytes.fromhex(identifier))
        except NotFound:
            return False
        return True

    def files(self, tree: bytes) -> list[TreeFile]:
        """Return every file below a tree, in the order of the paths as UTF-8 bytes. Raises GitFailed."""
        arguments = ("ls-tree", "-r", "-z", "--full-tree", tree.hex())
        answer = run(*arguments, git_dir=self._git_dir, timeout=READING_SECONDS, output_limit=LONGEST_LISTING)
        return sorted(map(_tree_file, answer.output.split(b"\0")[:-1]), key=lambda file: file.path)

    def files_of(self, commit: str) -> list[TreeFile]:
        """Return every file of a commit, as `files` does. Raises NotFound."""
        return self.files(self.commit(commit).tree.binsha)

    def contents(self, binshas: Sequence[bytes]) -> Iterator[bytes]:
        """Yield the contents of many blobs or trees in their order. Raises NotFound."""
        for begin in range(0, len(binshas), AT_ONCE):
            part = binshas[begin : begin + AT_ONCE]
            self._process.ask(b"\n".join(b"contents " + binsha.hex().encode() for binsha in part))
            for binsha in part:
                _, size = self._answer(binsha)
                with BufferedReader(_Body(self._process, size), CHUNK) as body:
                    yield body.read()

    def info(self, binsha: bytes) -> OInfo:
        """Return an object's kind and size. Raises NotFound."""
        kind, size = self._ask(b"info", binsha)
        return OInfo(binsha, kind, size)

    def stream(self, binsha: bytes) -> OStream:
        """Return an object for reading; it has to be read to its end before the next is asked for. Raises NotFound."""
        kind, size = self._ask(b"contents", binsha)
        return OStream(binsha, kind, size, BufferedReader(_Body(self._process, size), CHUNK))

    def size(self, binsha: bytes) -> int:
        """Return the bytes of a blob. Raises NotFound."""
        return self.info(binsha).size  # type: ignore[no-any-return]  # gitdb has no types

    def open(self, binsha: bytes) -> BinaryIO:
        """Open a blob as `stream` does."""
        return self.stream(binsha).stream  # type: ignore[no-any-return]  # gitdb has no types

    def _ask(self, what: bytes, binsha: bytes) -> tuple[bytes, int]:
        self._process.ask(what + b" " + binsha.hex().encode())
        return self._answer(binsha)

    def _answer(self, binsha: bytes) -> tuple[bytes, int]:
        answer = self._process.output.readline()
        if answer.endswith(b" missing\n"):
            raise NotFound(f"The git store has no object {binsha.hex()}.")
        if not answer.endswith(b"\n"):
            raise self._process.failed()
        _, kind, size = answer.split()
        return kind, int(size)


class _Body(RawIOBase):
    """The bytes of one object inside git's long answer, and the line feed after them."""

    def __init__(self, process: GitProcess, size: int) -> None:
        self._process = process
        self._left = size
        if size == 0:
            self._end()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (any writable buffer)
        """Read some of the object; 0 is its end."""
        if self._left == 0:
            return 0
        data = self._process.output.read(min(len(buffer), self._left))
        if not data:
            raise self._process.failed()
        buffer[: len(data)] = data
        self._left -= len(data)
        if self._left == 0:
            self._end()
        return len(data)

    def close(self) -> None:
        """Pass over what nobody has read, so that the next answer begins where it should."""
        while self._left:
            self.readinto(bytearray(min(self._left, CHUNK)))
        super().close()

    def _end(self) -> None:
        if self._process.output.read(1) != b"\n":
            raise self._process.failed()


class Source(Protocol):
    """Where a commit's files can be had: `Objects` asks git for them, `PackedObjects` reads our own packs."""

    def files_of(self, commit: str) -> list[TreeFile]:
        """Return every file of a commit, in the order of the paths as UTF-8 bytes. Raises NotFound."""

    def size(self, binsha: bytes) -> int:
        """Return the bytes of a blob. Raises NotFound."""

    def open(self, binsha: bytes) -> BinaryIO:
        """Open a blob; it is closed before the next is asked for. Raises NotFound."""

    def contents(self, binshas: Sequence[bytes]) -> Iterator[bytes]:
        """Yield the contents of many blobs in their order. Raises NotFound."""


class CommittedTree:
    """The files of a commit, and the empty directories that its generation had; read like a workspace."""

    def __init__(self, source: Source, *, commit: str, empty_directories: Iterable[str] = ()) -> None:
        self._source = source
        self._files = {
            _allowed(path): (binsha, bool(mode & stat.S_IXUSR)) for binsha, mode, path in source.files_of(commit)
        }
        self._empty = tuple(empty_directories)

    def entries(self) -> Iterator[Entry]:
        """Yield directories and files, sorted by path as UTF-8 bytes."""
        for path, file in self.listing():
            if file is None:
                yield Entry(path, True, False, 0)
            else:
                binsha, executable = file
                yield Entry(path, False, executable, self._source.size(binsha))

    def listing(self) -> Iterator[tuple[str, tuple[bytes, bool] | None]]:
        """Yield every path, sorted as UTF-8 bytes, with its blob and whether it is executable; None for directories."""
        directories = directories_above([*self._files, *(f"{path}/" for path in self._empty)])
        for path in sorted([*self._files, *directories]):
            yield path, self._files.get(path)

    def contents(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes, bool]]:
        """Yield path, content and whether it is executable of many files, in their order. Raises NotFound."""
        missing = [path for path in paths if path not in self._files]
        if missing:
            raise NotFound(f"The commit has no file {missing[0]!r}.", path=missing[0])
        found = self._source.contents([self._files[path][0] for path in paths])
        for path, data in zip(paths, found, strict=True):
            yield path, data, self._files[path][1]

    @contextmanager
    def reading(self) -> Iterator[Callable[[str], BinaryIO]]:
        """Give `open`; the tree stays open for as long as the store is."""
        yield self.open

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading; close it before the next is opened. Raises NotFound."""
        if path not in self._files:
            raise NotFound(f"The commit has no file {path!r}.", path=path)
        return self._source.open(self._files[path][0])


def directories_above(paths: Iterable[str]) -> set[str]:
    """Return every directory that these paths lie in; a path that ends with a slash is one of them."""
    found: set[str] = set()
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def _tree_file(line: bytes) -> TreeFile:
    # Mode, kind and id, each by a fixed width but the kind; then the path.
    tab = line.index(b"\t")
    return TreeFile(bytes.fromhex(line[tab - 40 : tab].decode()), int(line[:6], 8), line[tab + 1 :].decode())


def _allowed(path: str) -> str:
    if not _worth_a_look.search(path):
        return path
    for name in path.split("/"):
        rule = broken_rule(name)
        if rule in _DANGEROUS:
            raise invalid_path(path, rule)
    return path


@contextmanager
def reading(git_dir: Path) -> Iterator[Objects]:
    """Open a store for reading. Raises GitFailed in its use when the store is no git directory."""
    with started("cat-file", "--batch-command", git_dir=git_dir, timeout=READING_SECONDS, output_limit=None) as process:
        yield Objects(process, git_dir=git_dir)
