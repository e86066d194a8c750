"""What comes out of an archive: its names and its sizes, checked one after the other while it is read.

It writes nothing into a workspace. The formats are `archive_formats`'.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

from backend.apps.projects.errors import InvalidArchive
from backend.apps.projects.services.limits import MIB, Limits
from backend.apps.projects.services.paths import Names, invalid_path, validate_path

MOST_RATIO = 100
"""How many times its own size an archive may unpack to. Sources take up to about twenty."""
ALWAYS_FINE = 16 * MIB
"""Bytes that an archive may unpack to, whatever its own size."""


@dataclass(frozen=True)
class UnpackedFile:
    """A file of an archive, whose bytes lie in a file on the disk. It is a `FileToWrite`."""

    path: str
    size: int
    executable: bool
    offset: int
    stored: BinaryIO

    @property
    def data(self) -> bytes:
        """The bytes, read when they are asked for. Raises InvalidArchive where the disk has lost some."""
        data = os.pread(self.stored.fileno(), self.size, self.offset)
        if len(data) != self.size:
            raise InvalidArchive("The archive changed while it was read.", path=self.path)
        return data


class Unpacking:
    """Collects what an archive holds. archive_bytes: its own size.

    Raises InvalidPath, QuotaExceeded or InvalidArchive, with the entry as `path`, for the first thing that cannot be.
    """

    def __init__(self, *, archive_bytes: int, limits: Limits) -> None:
        self.files: list[UnpackedFile] = []
        self.total = 0
        self._limits = limits
        self._names = Names(limits=limits)
        self._unpacked = 0
        self._most = max(MOST_RATIO * archive_bytes, ALWAYS_FINE)

    @property
    def directories(self) -> tuple[str, ...]:
        """The paths of all directories."""
        return tuple(self._names.directories)

    def add_directory(self, path: str) -> None:
        """Take a directory; archives may name one more than once."""
        # First, so that what is refused is the entry, and not a directory on its way.
        self._names.add_directory(validate_path(path))

    def expect_file(self, path: str, *, size: int) -> None:
        """Take a file's name and the size that the archive says it has, before any of its bytes is looked at."""
        if validate_path(path) in self._names.files:
            raise invalid_path(path, "duplicate")
        self._names.add_file(path)
        self._limits.require("file_bytes", size, path=path)
        self._limits.require("total_bytes", self.total + size, path=path)

    def add_file(self, file: UnpackedFile) -> None:
        """Take a file that was expected."""
        self.files.append(file)
        self.total += file.size

    def grew(self, by: int, *, path: str | None = None) -> None:
        """Count bytes that came out of the compression."""
        self._unpacked += by
        if self._unpacked > self._most:
            raise InvalidArchive(
                f"The archive unpacks to more than {MOST_RATIO} times its size.",
                path=path,
                hint="Leave out what is empty or repeats itself, or send that file by file.",
            )
