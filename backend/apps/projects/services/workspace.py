"""A workspace: the directory tree of one generation, or of a project that a caller works on directly.

Names are checked by `paths`, sizes by `limits`, one writer at a time is let in by `workspace_lock`, and nothing is read
or written through a link by `directory_io`. A workspace holds directories and regular files, and no git directory: the
history lies elsewhere. It keeps no record of its own; what is on the disk is the truth.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, cast

from backend.apps.projects.services import directory_io
from backend.apps.projects.services.directory_io import Entry, OpenDirectories
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.paths import Names, broken_rule, invalid_path, validate_path
from backend.apps.projects.services.sealed_scan import scan_since
from backend.apps.projects.services.workspace_lock import WorkspaceLock
from backend.apps.workflows.execution.fence import Fence, no_fence

__all__ = ["Entry", "FileToWrite", "NewFile", "Workspace"]


class FileToWrite(Protocol):
    """A file to be written, whose bytes are asked for once, when it is written; `NewFile` has them all along."""

    @property
    def path(self) -> str:
        """Where it goes."""

    @property
    def size(self) -> int:
        """How many bytes it has."""

    @property
    def data(self) -> bytes:
        """The bytes."""

    @property
    def executable(self) -> bool:
        """Whether it can be executed."""


class NewFile(NamedTuple):
    """A file to be written: its path, its bytes, and whether it can be executed."""

    path: str
    data: bytes
    executable: bool = False

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.data)


class Workspace:
    """The tree below `root`, a directory of mode 0700. Files in it have mode 0644 or 0755, directories 0755."""

    def __init__(self, root: Path, *, limits: Limits | None = None, fence: Fence = no_fence) -> None:
        """fence: called by each writer once it is the only one; raises where the writing has become another's."""
        self.root = root
        self.limits = limits or Limits()
        self._fence = fence
        self._lock = WorkspaceLock(root)
        self._locks_directory = -1
        self._inventory: _Inventory | None = None

    def create(self) -> None:
        """Make the root and its parents; nothing happens when it is there. Raises InvalidPath when it is a link."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.root.mkdir(mode=0o700)
        except FileExistsError:
            if not self.exists():
                raise invalid_path(self.root.name, "link" if self.root.is_symlink() else "file-and-directory") from None

    def exists(self) -> bool:
        """Whether the root is there, as a directory and no link."""
        try:
            return stat.S_ISDIR(self.root.lstat().st_mode)
        except FileNotFoundError:
            return False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer. The same thread may enter again through the same object.

        Raises as the fence does, and WorkspaceBusy, to be tried again after 2 seconds, when another writer is at work.
        """
        if self._lock.held:
            yield
            return
        with self._lock.hold() as self._locks_directory:
            self._fence()
            try:
                yield
            finally:
                self._inventory = None

    def make_directory(self, path: str) -> Path:
        """Make a directory and its parents, and return where it is. Raises as `write_many` does."""
        self.write_many(directories=[path])
        return self.root / path

    def write(self, path: str, data: bytes, *, executable: bool = False) -> Path:
        """Write one file, make its parents, and return where it is. Raises as `write_many` does.

        Looks at the whole workspace for clashes and quotas, once for all writes inside one `writing()`.
        """
        return self.write_many([NewFile(path, data, executable)])[path]

    def write_many(self, files: Iterable[FileToWrite] = (), directories: Iterable[str] = ()) -> dict[str, Path]:
        """Write a tree; what is there already stays, and a file that is there is replaced. Return where the files are.

        Everything is checked, also against what is there, before the first byte is written. The workspace is made if
        need be. Takes the lock if the caller does not hold it.
        Raises InvalidPath, QuotaExceeded or WorkspaceBusy.
        """
        planned = list(files)
        with self.writing():
            self.create()
            try:
                made = self._take_stock().plan(planned, directories)
                self._write(planned, made)
            except BaseException:
                self._inventory = None
                raise
        return {file.path: self.root / file.path for file in planned}

    def rearrange(
        self,
        *,
        files: Iterable[NewFile] = (),
        directories: Iterable[str] = (),
        remove_files: Iterable[str] = (),
        remove_directories: Iterable[str] = (),
    ) -> None:
        """Remove and write without looking at what else is there; the caller is `writing` and has validated the whole.

        remove_directories: empty once their files are removed.
        """
        self._inventory = None
        self.create()
        with OpenDirectories(self.root) as opened:
            for path in sorted(remove_files, key=_by_directory):
                directory_io.remove_file(opened.enter(path.rpartition("/")[0]), path)
            # The longest first: what lies in a directory goes before it.
            for path in sorted(remove_directories, key=len, reverse=True):
                directory_io.remove_directory(opened.enter(path.rpartition("/")[0]), path)
        self._write(list(files), [validate_path(path) for path in directories])

    def seal(self) -> str:
        """Return what says at which moment, by the file system's own clock, this workspace was last written by us.

        Only for who is `writing`. `sealed_at` understands it. Empty where the workspace has vanished.
        """
        if not self.exists():
            return ""
        name = self.root.name
        os.utime(name, dir_fd=self._locks_directory)
        now = os.stat(name, dir_fd=self._locks_directory, follow_symlinks=False).st_ctime_ns
        return f"{self._identity()}:{now}"

    def sealed_at(self, seal: str) -> int:
        """Return the moment of a seal in nanoseconds: what changed before it was us.

        0 for the seal of another place, and for none: then nothing here can be relied on.
        """
        identity, _, moment = seal.rpartition(":")
        return int(moment) if identity and self.exists() and identity == self._identity() else 0

    def entries(self) -> Iterator[Entry]:
        """Yield everything in the workspace, sorted by path as UTF-8 bytes.

        Raises InvalidPath naming a link, a second name of a file, anything else that is neither file nor directory, or
        a name that `paths` refuses; NotFound when there is no workspace.
        """
        with OpenDirectories(self.root) as directories:
            # Code points sort as their UTF-8 bytes do.
            found = sorted(directory_io.scan(directories.enter("")), key=lambda entry: entry.path)
        for entry in found:
            yield _allowed(entry)

    def entries_since(self, moment: int, *, files: Iterable[str], directories: Iterable[str]) -> list[Entry]:
        """Return what `entries` yields, in no order, without reading directories that have been quiet.

        moment: as `sealed_at` gave it. files, directories: all there was then. Raises as `entries` does.
        """
        known = {*files, *directories}
        found = scan_since(moment, self.root, files=files, directories=directories)
        return [entry if entry.path in known else _allowed(entry) for entry in found]

    def open(self, path: str) -> BinaryIO:
        """Open a file to read its bytes. Raises InvalidPath for anything but a regular file with one name; NotFound."""
        with self.reading() as opener:
            return opener(validate_path(path))

    @contextmanager
    def reading(self) -> Iterator[Callable[[str], BinaryIO]]:
        """Give an `open` for many files, which opens each directory once when they are asked for in sorted order.

        Its files are not buffered: what is read is asked of the system.
        """
        with OpenDirectories(self.root) as directories:

            def opener(path: str) -> BinaryIO:
                if ".." in path or path.startswith("/"):
                    validate_path(path)
                parent = path.rpartition("/")[0]
                return cast(BinaryIO, FileIO(directory_io.open_to_read(directories.enter(parent), path)))

            yield opener

    def remove(self) -> None:
        """Remove the workspace with all it holds; nothing happens when it is gone.

        Removes a link inside, never what it points to. Raises InvalidPath when the root is a link, WorkspaceBusy.
        """
        if not self.root.parent.exists():
            return
        with self.writing():
            if self.exists():
                parent = os.open(self.root.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    shutil.rmtree(self.root.name, dir_fd=parent)
                finally:
                    os.close(parent)
            elif self.root.is_symlink():
                raise invalid_path(self.root.name, "link")

    def _identity(self) -> str:
        root = self.root.lstat()
        return f"{root.st_dev}:{root.st_ino}"

    def _take_stock(self) -> _Inventory:
        if self._inventory is None:
            self._inventory = _Inventory(self.entries(), limits=self.limits)
        return self._inventory

    def _write(self, files: Sequence[FileToWrite], made: list[str]) -> None:
        spare = (self._locks_directory, f"{self.root.name}.part")
        by_directory: dict[str, list[FileToWrite]] = {directory: [] for directory in made}
        for file in files:
            by_directory.setdefault(file.path.rpartition("/")[0], []).append(file)
        with OpenDirectories(self.root) as directories:
            for directory in sorted(by_directory, key=_by_directory):
                descriptor = directories.enter(directory, create=True)
                for file in by_directory[directory]:
                    directory_io.write_file(descriptor, file.path, file.data, executable=file.executable, spare=spare)


def _allowed(entry: Entry) -> Entry:
    rule = broken_rule(entry.path.rpartition("/")[2])
    if rule:
        raise invalid_path(entry.path, rule)
    return entry


def _by_directory(path: str) -> str:
    """Sort so that what lies below a directory comes right after it, and each is opened once."""
    return path.replace("/", "\0")


class _Inventory:
    """What a workspace holds: its names, and the bytes of each file."""

    def __init__(self, entries: Iterable[Entry], *, limits: Limits) -> None:
        self._limits = limits
        self._names = Names(limits=limits)
        self._sizes: dict[str, int] = {}
        self._total = 0
        for entry in entries:
            if entry.is_directory:
                self._names.add_directory(entry.path)
            else:
                self._add(entry.path, entry.size)

    def plan(self, files: Sequence[FileToWrite], directories: Iterable[str]) -> list[str]:
        """Add files and directories, and return the directories that are missing. Raises InvalidPath, QuotaExceeded."""
        before = len(self._names.directories)
        for path in directories:
            self._names.add_directory(path)
        given: set[str] = set()
        for file in files:
            if file.path in given:
                raise invalid_path(file.path, "duplicate")
            given.add(file.path)
            self._limits.require("file_bytes", file.size, path=file.path)
            self._add(file.path, file.size)
        self._limits.require("total_bytes", self._total)
        return self._names.directories[before:]

    def _add(self, path: str, size: int) -> None:
        self._names.add_file(path)
        self._total += size - self._sizes.get(path, 0)
        self._sizes[path] = size
