"""One writer at a time per workspace, across processes and, on a shared file system, across machines.

The lock is an advisory `flock` on a file beside the workspaces, so it ends with the process that holds it, however that
ends. It keeps writers from each other; readers take none.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backend.apps.projects.errors import WorkspaceBusy

RETRY_AFTER = 2.0


class WorkspaceLock:
    """The lock of the workspace `root`. The thread that holds it may take it again."""

    def __init__(self, root: Path) -> None:
        self.directory = root.parent / ".locks"
        self._name = root.name
        self._holder: int | None = None

    @property
    def held(self) -> bool:
        """Whether this thread holds the lock through this object."""
        return self._holder == threading.get_ident()

    @contextmanager
    def hold(self) -> Iterator[int]:
        """Hold the lock and give the descriptor of its directory. Raises WorkspaceBusy at once when it is taken."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            descriptor = self._acquire(directory)
            try:
                self._holder = threading.get_ident()
                yield directory
            finally:
                self._holder = None
                # Unlinked while it is held: who waits on the old file sees that it has lost its name, and tries again.
                with suppress(FileNotFoundError):
                    os.unlink(self._name, dir_fd=directory)
                os.close(descriptor)
        finally:
            os.close(directory)

    def _acquire(self, directory: int) -> int:
        while True:
            descriptor = os.open(
                self._name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory
            )
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_still_named(descriptor, name=self._name, directory=directory):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                raise WorkspaceBusy(
                    retry_after=RETRY_AFTER, hint="Try again in a moment; one task at a time writes to a workspace."
                ) from None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)


def _is_still_named(descriptor: int, *, name: str, directory: int) -> bool:
    try:
        named = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))
