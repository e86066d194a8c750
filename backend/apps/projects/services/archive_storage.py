"""Where archives are kept: Django's storage `archives`, by default the folder ARCHIVES_DIR.

Rows hold keys relative to it, so that the folder can be moved, or become a bucket: REPOMILL_STORAGE_URL says where. On
the file system an archive is written beside its place and renamed into it; for any other storage it is written to this
machine first and then handed over.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from backend.apps.projects.models import Archive
from backend.apps.projects.services.archive_publishing import Publisher
from backend.apps.projects.services.archives import ArchiveFile
from backend.apps.projects.services.storage_answers import storage_answers
from backend.errors import NotFound, TemporaryFailure

ALIAS = "archives"
CHUNK = 1024 * 1024
UNFINISHED = ".*.part"
LEFTOVER_SECONDS = 24 * 3600.0


def archives_storage() -> Storage:
    """Return the storage that archives are kept in."""
    if ALIAS in settings.STORAGES:
        return storages[ALIAS]
    return _folder(Path(settings.ARCHIVES_DIR))


@lru_cache(maxsize=4)
def _folder(location: Path) -> FileSystemStorage:
    return FileSystemStorage(location=location)


def publish(
    key: str, *, write: Callable[[Path, Publisher | None], ArchiveFile], publisher: Publisher | None = None
) -> ArchiveFile:
    """Have an archive written and keep it under its key, in the place of what is there. Return what was written.

    write: writes the archive to a path, whole or not at all, with a publisher where it is given one. publisher: who
    publishes it while others are written, which a file system alone has use for.
    Raises TemporaryFailure where the storage renames it.
    """
    storage = archives_storage()
    if isinstance(storage, FileSystemStorage):
        return write(Path(storage.path(key)), publisher)
    with storage_answers(), tempfile.TemporaryDirectory(prefix="repomill-archive-") as folder:
        written = write(Path(folder) / Path(key).name, None)
        storage.delete(key)
        with written.path.open("rb") as file:
            kept = storage.save(key, File(file))
    if kept != key:
        storage.delete(kept)
        raise TemporaryFailure("Somebody else keeps an archive under the same key at this moment.", retry_after=2.0)
    return written


def sweep_leftovers(*, now: float) -> int:
    """Remove what attempts left that were killed while they wrote an archive. Returns how many files those were.

    now: seconds since the epoch. What is younger than LEFTOVER_SECONDS may still be written.
    """
    storage = archives_storage()
    if not isinstance(storage, FileSystemStorage):
        return 0
    swept = 0
    for part in Path(storage.location).rglob(UNFINISHED):
        with suppress(FileNotFoundError):
            if part.stat().st_mtime < now - LEFTOVER_SECONDS:
                part.unlink()
                swept += 1
    return swept


def remove_archive(archive: Archive) -> None:
    """Remove an archive's file; nothing happens when it is gone. Raises StorageUnavailable, OSError."""
    with storage_answers():
        archives_storage().delete(archive.path)


def remove_archives(*, folder: str) -> None:
    """Remove the archives of one generation, which are kept under its id; nothing happens when there are none."""
    remove_folder(archives_storage(), folder)


def remove_folder(storage: Storage, folder: str) -> None:
    """Remove a folder of any storage with the files in it; nothing happens when there is none."""
    with storage_answers(), suppress(FileNotFoundError):
        _, names = storage.listdir(folder)
        for name in names:
            storage.delete(f"{folder}/{name}")
        if isinstance(storage, FileSystemStorage):
            # On a file system the folder itself is there too.
            storage.delete(folder)


def real_path(key: str) -> str:
    """Return where an archive really lies: its absolute path on the file system, elsewhere its key."""
    storage = archives_storage()
    return str(storage.path(key)) if isinstance(storage, FileSystemStorage) else key


def open_archive(archive: Archive) -> File[bytes]:
    """Open an archive for reading; the caller closes it. Raises FileNotFoundError when it is gone."""
    return archives_storage().open(archive.path, "rb")


def open_to_send(archive: Archive) -> tuple[BinaryIO, int]:
    """Open an archive for who sends it to somebody; return it with its size in bytes, and the caller closes it.

    It stays what it was while it is open, whatever takes its place. On the file system a link is not followed.
    Raises NotFound where it is gone, is no file, or has another size than was recorded.
    """
    storage = archives_storage()
    try:
        if isinstance(storage, FileSystemStorage):
            file, size = _open_regular(storage.path(archive.path))
        else:
            with storage_answers():
                file = cast(BinaryIO, storage.open(archive.path, "rb"))
                size = storage.size(archive.path)
    except OSError as error:
        raise _gone(archive) from error
    if size != archive.size:
        file.close()
        raise _gone(archive)
    return file, size


def _open_regular(path: str) -> tuple[BinaryIO, int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("It is no regular file.")
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb", buffering=0), found.st_size


def _gone(archive: Archive) -> NotFound:
    return NotFound("The archive is no longer there.", archive=str(archive.pk), hint="Request the export once more.")


def is_whole(archive: Archive) -> bool:
    """Return whether the archive is there and has the bytes that were recorded."""
    storage = archives_storage()
    digest = hashlib.sha256()
    with storage_answers():
        if not storage.exists(archive.path) or storage.size(archive.path) != archive.size:
            return False
        with open_archive(archive) as file:
            for chunk in file.chunks(CHUNK):
                digest.update(chunk)
    return digest.hexdigest() == archive.digest
