"""Secrets that Repomill makes for itself: one file each, mode 0600, in a folder of mode 0700.

They are made on first use and are never in an environment or on a command line.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from backend.errors import ConfigurationError


def read_or_create(folder: Path, name: str, *, length: int = 48) -> str:
    """Return the secret `name`, made of `length` random bytes when it does not exist yet.

    Two processes that start together agree: the file appears complete, and the first one wins.
    Raises ConfigurationError when the folder cannot be written or the file is readable by others.
    """
    path = folder / name
    try:
        # The data folder: most commands come here before anything else is in it, and `parents` knows no mode.
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        if not path.exists():
            _publish(path, secrets.token_urlsafe(length))
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(
                f"The secret file {path} can be read by others.", hint=f"Run: chmod 600 {path}", path=str(path)
            )
        return path.read_text("ascii").strip()
    except OSError as error:
        raise ConfigurationError(
            f"The secret file {path} cannot be written or read: {error.strerror}.",
            hint="Set REPOMILL_DATA_DIR to a folder that this user may write.",
            path=str(path),
        ) from error


def write_private(path: Path, content: str) -> None:
    """Write a file that only this user can read, replacing an older one at once; it is on the disk when this returns.

    What is encrypted with a key is, too: a key that a power cut takes away takes all of that with it.
    """
    temporary = _written(path, content)
    temporary.replace(path)
    _make_name_safe(path)


def _publish(path: Path, content: str) -> None:
    temporary = _written(path, content)
    try:
        # A link fails where the name exists, so the first of two processes decides and the other reads its value.
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()
    _make_name_safe(path)


def _written(path: Path, content: str) -> Path:
    """Write it beside its place, and return where."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink()
        raise
    return temporary


def _make_name_safe(path: Path) -> None:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
