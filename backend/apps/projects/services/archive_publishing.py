"""Publishes a written archive: safe on the disk first, and only then under its name.

The disk takes a good part of the time that packaging a small project does. Who writes many archives hands them to a
`Publisher`, which makes each safe while the next is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from uuid import uuid4


class Publisher:
    """Publishes archives one after the other, in a thread of its own. To leave it is to wait for all of them.

    What could not be published lies nowhere; `failed` says which those are.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publishing")
        self._taken: dict[Path, Future[None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)

    def take(self, part: Path, target: Path, descriptor: int) -> None:
        """Publish an archive soon. descriptor: of the written part, and closed here."""
        self._taken[target] = self._thread.submit(_publish, part, target, descriptor)

    def failed(self, target: Path) -> bool:
        """Say whether an archive that was taken could not be published; it waits for it."""
        taken = self._taken.get(target)
        return taken is not None and taken.exception() is not None


@contextmanager
def published(target: Path, *, publisher: Publisher | None = None) -> Iterator[IO[bytes]]:
    """Give a file beside the target that takes its place, safe on the disk, when the block ends well.

    publisher: who does so after the block; without one it is done when the block has ended.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{uuid4()}.part")
    try:
        with part.open("xb", buffering=0) as file:
            yield file
            descriptor = os.dup(file.fileno())
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise
    if publisher is None:
        _publish(part, target, descriptor)
    else:
        publisher.take(part, target, descriptor)


def _publish(part: Path, target: Path, descriptor: int) -> None:
    try:
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
