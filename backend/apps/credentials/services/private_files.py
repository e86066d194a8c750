"""Folders for secrets that a program must read from a file: private, in memory if possible, and never left behind.

Each folder is locked by the process that made it. The lock ends with the process, so one that can be taken marks what
a killed process left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings

from backend.apps.credentials.secret import Secret
from backend.errors import ConfigurationError

MEMORY = Path("/dev/shm")  # noqa: S108  (only a folder of our own in it is used, and only when it is private)


@contextmanager
def private_folder() -> Iterator[Path]:
    """Give a new, empty folder of mode 0700; it and what is in it are removed at the end."""
    root = _root()
    with ExitStack() as cleaning:
        with _locked(root, wait=True):
            _remove_leftovers(root)
            folder = Path(tempfile.mkdtemp(dir=root))
            cleaning.callback(shutil.rmtree, folder, ignore_errors=True)
            # Taken while the root is: nobody can find the folder without its lock.
            cleaning.enter_context(_locked(folder, wait=True))
        yield folder


def write(path: Path, secret: Secret) -> None:
    """Write the secret and nothing else into a new file of mode 0600."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret.reveal().encode())


def _root() -> Path:
    """Return the folder of this user for this installation: in memory, else in the data folder."""
    data_dir = Path(settings.DATA_DIR)
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK):
        try:
            return _own(MEMORY / f"repomill-{os.getuid()}")
        except (OSError, ConfigurationError):
            # Somebody else has taken the name; the data folder is ours alone.
            return _own_below(data_dir)
    return _own_below(data_dir)


def _own_below(data_dir: Path) -> Path:
    path = data_dir / "secret-files"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return _own(path)
    except OSError as error:
        raise ConfigurationError(
            f"There is no private place for secrets: {path} cannot be made ({error.strerror}).",
            field="REPOMILL_DATA_DIR",
            hint="Set REPOMILL_DATA_DIR to a folder that this user may write.",
        ) from error


def _own(path: Path) -> Path:
    """Make a folder that is this user's alone, or find that it is. Raises ConfigurationError where it is not."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise ConfigurationError(
                f"The folder {path} is not this user's alone.", hint=f"Remove it, or run: chmod 700 {path}"
            ) from None
    return path


def _remove_leftovers(root: Path) -> None:
    for folder in root.iterdir():
        with _locked(folder, wait=False) as taken:
            if taken:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the folder's lock and say True, or without `wait` say False where somebody else has it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        # Its owner has just removed it.
        yield False
        return
    try:
        yield _taken(descriptor, wait=wait)
    finally:
        os.close(descriptor)


def _taken(descriptor: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EAGAIN}:
            return False
        raise
    return True
