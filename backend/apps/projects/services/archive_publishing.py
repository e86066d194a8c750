"""Publishes written archives: safe on the disk first, and only then under their names.

The disk takes a good part of the time that packaging a small project does, and most of that is the same for one file
and for many. Who writes many archives hands them to a `Publisher`, which makes all of them safe at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from uuid import uuid4


class Publisher:
    """Publishes archives together, when it is left; after an error it publishes none of them.

    What could not be published lies nowhere; `failed` says which those are.
    """

    def __init__(self) -> None:
        self._taken: list[_Part] = []
        self._failed: dict[Path, OSError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._failed = _publish(self._taken)
        else:
            _drop(self._taken)

    def take(self, part: _Part) -> None:
        """Publish a written archive later; the system begins to write it to the disk meanwhile."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(part.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        self._taken.append(part)

    def failed(self, target: Path) -> bool:
        """Say whether an archive that was taken could not be published, once this has been left."""
        return target in self._failed


@contextmanager
def published(target: Path, *, publisher: Publisher | None = None) -> Iterator[IO[bytes]]:
    """Give a file beside the target that takes its place, safe on the disk, when the block ends well.

    publisher: who does so later; without one it is done when the block has ended. Raises OSError then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f".{uuid4()}.part")
    try:
        with path.open("xb", buffering=0) as file:
            yield file
            part = _Part(path, target, os.dup(file.fileno()))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if publisher is not None:
        publisher.take(part)
    elif failed := _publish([part]):
        raise failed[target]


@dataclass(frozen=True)
class _Part:
    """An archive that is written and has no name yet. descriptor: of the file, open until it is dropped."""

    path: Path
    target: Path
    descriptor: int

    def make_safe(self) -> None:
        os.fsync(self.descriptor)

    def give_name(self) -> None:
        self.path.replace(self.target)

    def make_name_safe(self) -> None:
        directory = os.open(self.target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _publish(parts: Sequence[_Part]) -> dict[Path, OSError]:
    """Publish archives, each step for all of them before the next. Returns what went wrong, by target."""
    failed: dict[Path, OSError] = {}
    try:
        for step in (_Part.make_safe, _Part.give_name, _Part.make_name_safe):
            for part in parts:
                if part.target in failed:
                    continue
                try:
                    step(part)
                except OSError as error:
                    failed[part.target] = error
    finally:
        _drop(parts)
    return failed


def _drop(parts: Sequence[_Part]) -> None:
    """Close the files, and remove those that have no name."""
    for part in parts:
        os.close(part.descriptor)
    for part in parts:
        part.path.unlink(missing_ok=True)
