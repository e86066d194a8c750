"""One owner for each data folder, and what others may know about it.

A POSIX record lock: the kernel drops it with the process that took it, however that dies, and no child inherits it.
Its one trap is that a process loses the lock when it closes *any* descriptor of the file; so the process that
holds a lock answers questions about it from memory.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from backend.cli.errors import FolderLocked
from backend.errors import Conflict

# A process that only looks holds a shared lock for a moment; whoever wants the lock waits this long for it to pass.
_PATIENCE = 0.5


class FolderLock:
    """An exclusive lock on a file, which also holds a small JSON object for others to read."""

    _held: ClassVar[dict[Path, FolderLock]] = {}

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._descriptor: int | None = None
        self._text: dict[str, Any] = {}

    def acquire(self, **text: Any) -> None:  # noqa: ANN401
        """Take the lock and publish `text`. Raises FolderLocked, with the holder's text in `place`."""
        if self.path in self._held:
            raise FolderLocked(path=str(self.path), holder=self._held[self.path]._text)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _PATIENCE
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                holder = _read(descriptor)
                os.close(descriptor)
                raise FolderLocked(path=str(self.path), holder=holder)
            time.sleep(0.02)
        self._descriptor = descriptor
        self._held[self.path] = self
        self.publish(**text)

    def publish(self, **text: Any) -> None:  # noqa: ANN401
        """Replace what others can read."""
        if self._descriptor is None:
            raise Conflict("Only the holder of a lock may publish.", path=str(self.path))
        self._text = text
        content = json.dumps(text).encode()
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is None:
            return
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None
        del self._held[self.path]

    @classmethod
    def holder(cls, path: Path) -> dict[str, Any] | None:
        """Return the text of the lock's holder, {} while it has none yet, or None when nobody holds the lock."""
        path = path.absolute()
        if path in cls._held:
            return cls._held[path]._text
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            # Shared, so that two who look at the same time do not take each other for the holder.
            return None if _try_lock(descriptor, fcntl.LOCK_SH) else _read(descriptor)
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        self.acquire(pid=os.getpid())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@dataclass(frozen=True)
class StackInfo:
    """A running stack, as its lock file tells it."""

    pid: int
    web_url: str
    flower_url: str
    """Empty when the stack runs without Flower."""
    ready: bool
    """Whether everything has answered once; False during the first seconds."""

    def as_json(self) -> dict[str, Any]:
        """Return what the lock file holds."""
        return asdict(self)


def stack_lock(data_dir: Path) -> FolderLock:
    """Return the lock that makes a stack the only one on its data folder."""
    return FolderLock(data_dir / "stack.lock")


def running_stack(data_dir: Path) -> StackInfo | None:
    """Return the stack that runs on a data folder, or None."""
    holder = FolderLock.holder(data_dir / "stack.lock")
    if holder is None:
        return None
    return StackInfo(
        pid=int(holder.get("pid", 0)),
        web_url=str(holder.get("web_url", "")),
        flower_url=str(holder.get("flower_url", "")),
        ready=bool(holder.get("ready", False)),
    )


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.lockf(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(descriptor: int) -> dict[str, Any]:
    try:
        text = json.loads(os.pread(descriptor, 65536, 0) or b"{}")
    except ValueError:
        # Read in the middle of a publication.
        return {}
    return text if isinstance(text, dict) else {}
