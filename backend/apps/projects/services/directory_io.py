"""Input and output below a directory that nobody can turn into somewhere else.

Every call is relative to an open directory descriptor and follows no link, so a path that was checked and then
exchanged for a link is refused by the kernel. Modes do not depend on the process's umask.

This module knows descriptors and names; which names are allowed is `backend.apps.projects.services.paths`'s.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.services.paths import invalid_path
from backend.errors import NotFound

DIRECTORY_MODE = 0o755
FILE_MODE = 0o644
EXECUTABLE_MODE = 0o755

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe that was put in a file's place would wait for its other end for ever.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Entry(NamedTuple):
    """One thing in a workspace."""

    path: str
    """Relative, posix."""
    is_directory: bool
    executable: bool
    size: int
    """Bytes; 0 for a directory."""
    changed_ns: int = 0
    """When content or status last changed by the file system's clock, in nanoseconds; 0 for a directory or unknown."""


class OpenDirectories:
    """The directories from a root down to the one in use, held open.

    Asking for one directory after the other in sorted order opens each once; at most depth + 1 are open.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: list[tuple[str, int]] = []

    def __enter__(self) -> OpenDirectories:
        self._open = [("", _open_directory(str(self._root), None, self._root.name))]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        while self._open:
            os.close(self._open.pop()[1])

    def enter(self, path: str, *, create: bool = False) -> int:
        """Return the descriptor of a directory, valid until the next call.

        create: make it and its parents where they are missing.
        Raises InvalidPath where a link or a file is in the way, NotFound where it is missing.
        """
        held, descriptor = self._open[-1]
        if path == held:
            return descriptor
        while held and not path.startswith(f"{held}/"):
            os.close(self._open.pop()[1])
            held, descriptor = self._open[-1]
        for name in path[len(held) + 1 if held else 0 :].split("/") if path != held else ():
            held = f"{held}/{name}" if held else name
            descriptor = _make_directory(name, descriptor, held) if create else _open_directory(name, descriptor, held)
            self._open.append((held, descriptor))
        return descriptor


def _open_directory(name: str, parent: int | None, path: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        raise meaning(error, path) from error


def _make_directory(name: str, parent: int, path: str) -> int:
    try:
        os.mkdir(name, DIRECTORY_MODE, dir_fd=parent)
    except FileExistsError:
        return _open_directory(name, parent, path)
    descriptor = _open_directory(name, parent, path)
    os.fchmod(descriptor, DIRECTORY_MODE)
    return descriptor


def write_file(directory: int, path: str, data: bytes, *, executable: bool, spare: tuple[int, str]) -> None:
    """Write the file `path` into its directory, which is open.

    A new file is made under its name; an existing one is replaced by renaming, so that a reader sees the old bytes or
    the new ones, and a file with a second name elsewhere keeps its content there.

    spare: the directory and name, outside the workspace on the same file system, where the replacement is made.
    Raises InvalidPath where something other than a file of one name has the place.
    """
    name = path.rpartition("/")[2]
    try:
        _create(directory, name, data, executable=executable)
    except FileExistsError:
        require_regular(os.stat(name, dir_fd=directory, follow_symlinks=False), path)
        _remove_if_there(spare)
        _create(*spare, data, executable=executable)
        os.rename(spare[1], name, src_dir_fd=spare[0], dst_dir_fd=directory)


def _create(directory: int, name: str, data: bytes, *, executable: bool) -> None:
    mode = EXECUTABLE_MODE if executable else FILE_MODE
    descriptor = os.open(name, _NEW_FILE, mode, dir_fd=directory)
    try:
        os.fchmod(descriptor, mode)
        written = os.write(descriptor, data) if data else 0
        while written < len(data):
            written += os.write(descriptor, memoryview(data)[written:])
    except BaseException:
        # Half a file would be taken for the whole of it.
        _remove_if_there((directory, name))
        raise
    finally:
        os.close(descriptor)


def _remove_if_there(spare: tuple[int, str]) -> None:
    with suppress(FileNotFoundError):
        os.unlink(spare[1], dir_fd=spare[0])


def remove_file(directory: int, path: str) -> None:
    """Remove the file `path` from its open directory; nothing happens when it is gone."""
    _remove_if_there((directory, path.rpartition("/")[2]))


def remove_directory(parent: int, path: str) -> None:
    """Remove the empty directory `path` from its open parent; nothing happens when it is gone."""
    with suppress(FileNotFoundError):
        os.rmdir(path.rpartition("/")[2], dir_fd=parent)


def open_to_read(directory: int, path: str) -> int:
    """Return a descriptor of the file `path` in its open directory.

    Raises InvalidPath for anything but a regular file with one name, NotFound for nothing.
    """
    try:
        descriptor = os.open(path.rpartition("/")[2], _READ, dir_fd=directory)
    except OSError as error:
        raise meaning(error, path) from error
    try:
        require_regular(os.fstat(descriptor), path)
    except InvalidPath:
        os.close(descriptor)
        raise
    return descriptor


def require_regular(found: os.stat_result, path: str) -> None:
    """Raise InvalidPath unless this is a regular file that has one name."""
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        return
    if stat.S_ISLNK(found.st_mode):
        raise invalid_path(path, "link")
    if stat.S_ISDIR(found.st_mode):
        raise invalid_path(path, "file-and-directory")
    if not stat.S_ISREG(found.st_mode):
        raise invalid_path(path, "special-file")
    if found.st_nlink != 1:
        raise invalid_path(path, "hard-link")


def file_entry(found: os.stat_result, path: str) -> Entry:
    """Return what the status of a file says. Raises as `require_regular` does."""
    require_regular(found, path)
    return Entry(path, False, bool(found.st_mode & stat.S_IXUSR), found.st_size, found.st_ctime_ns)


def scan(directory: int, *, below: str = "") -> list[Entry]:
    """Return everything below an open directory, in no order. Raises InvalidPath for what is no file or directory."""
    entries: list[Entry] = []
    _collect(directory, f"{below}/" if below else "", entries)
    return entries


def _collect(directory: int, prefix: str, entries: list[Entry]) -> None:
    below = []
    with os.scandir(directory) as found:
        for item in found:
            path = prefix + item.name
            if item.is_dir(follow_symlinks=False):
                below.append(item.name)
                entries.append(Entry(path, True, False, 0))
                continue
            entries.append(file_entry(item.stat(follow_symlinks=False), path))
    for name in below:
        child = _open_directory(name, directory, prefix + name)
        try:
            _collect(child, f"{prefix}{name}/", entries)
        finally:
            os.close(child)


def meaning(error: OSError, path: str) -> Exception:
    """Return what the system's error says of a path: InvalidPath, NotFound, or the error itself."""
    if error.errno == errno.ENOENT:
        return NotFound(f"There is no {path!r} in the workspace.", path=path)
    if error.errno == errno.ELOOP:
        return invalid_path(path, "link")
    if error.errno == errno.ENOTDIR:
        return invalid_path(path, "file-and-directory")
    if error.errno == errno.ENXIO:
        return invalid_path(path, "special-file")
    return error
