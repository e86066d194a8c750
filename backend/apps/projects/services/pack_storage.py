"""Where packs of git stores are kept for the other hosts of an installation: Django's storage `packs`.

Without one all hosts share the folder of git stores, and nothing is kept elsewhere. An object's key is its project's id
and its own SHA-256, so that it is never changed, only written once more; what is read is compared with it. What is in a
pack is `commit_sharing`'s.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from backend.apps.projects.errors import ContentMissing, StorageUnavailable
from backend.apps.projects.models import StoredPack
from backend.apps.projects.services.archive_storage import remove_folder
from backend.apps.projects.services.content import CHUNK
from backend.apps.projects.services.storage_answers import storage_answers

ALIAS = "packs"
RESTORE = "Run `repomill storage put` on {host}, which made it, or restore the storage from a backup; then try again."


def packs_storage() -> Storage | None:
    """Return the storage that packs are kept in; None where all hosts share the folder of git stores."""
    return storages[ALIAS] if ALIAS in settings.STORAGES else None


def key_of(*, project_id: UUID, digest: str) -> str:
    """Return the key of a pack by its SHA-256."""
    return f"{project_id}/{digest}.pack"


def put(pack: BinaryIO, *, project_id: UUID, digest: str) -> None:
    """Keep a pack. Raises StorageUnavailable."""
    storage = packs_storage()
    if storage is None:
        raise StorageUnavailable("There is no storage for packs.")
    key = key_of(project_id=project_id, digest=digest)
    with storage_answers():
        kept = storage.save(key, File(pack))
    if kept != key:
        # A storage that does not replace what is there; that is the same, or was damaged and has to go by hand.
        with storage_answers():
            storage.delete(kept)


def fetch(row: StoredPack, *, into: BinaryIO) -> None:
    """Write a pack into a file, and compare it with its row.

    Raises ContentMissing where it is not there, or not what was put there; StorageUnavailable.
    """
    storage = packs_storage()
    if storage is None:
        raise _missing(row, "is not there: no storage is set")
    digest, size = hashlib.sha256(), 0
    try:
        with storage_answers(), storage.open(key_of(project_id=row.project_id, digest=row.digest), "rb") as stored:
            for chunk in stored.chunks(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                into.write(chunk)
    except FileNotFoundError as error:
        raise _missing(row, "is not there") from error
    if (size, digest.hexdigest()) != (row.size, row.digest):
        raise _missing(row, f"is damaged ({size:,} bytes instead of {row.size:,})")


def is_there(row: StoredPack) -> bool:
    """Return whether a pack is there and whole; reads all of it. Raises StorageUnavailable."""
    try:
        fetch(row, into=cast(BinaryIO, _Nowhere()))
    except ContentMissing:
        return False
    return True


def note(name: str, *, project_id: UUID) -> None:
    """Keep a name for the other hosts, where there is a storage. Raises StorageUnavailable."""
    storage = packs_storage()
    if storage is None or is_noted(name, project_id=project_id):
        return
    with storage_answers():
        storage.save(f"{project_id}/{name}.note", ContentFile(b""))


def is_noted(name: str, *, project_id: UUID) -> bool:
    """Return whether any host keeps a name. Raises StorageUnavailable."""
    storage = packs_storage()
    if storage is None:
        return False
    with storage_answers():
        return storage.exists(f"{project_id}/{name}.note")


def remove_packs(*, project_id: UUID) -> None:
    """Remove everything that is kept of a project's git store; nothing happens when there is nothing."""
    storage = packs_storage()
    if storage is not None:
        remove_folder(storage, str(project_id))


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


def _missing(row: StoredPack, what: str) -> ContentMissing:
    return ContentMissing(
        f"The storage does not hold the commit {row.commit[:12]} of the project: its object {row.digest[:12]} {what}.",
        hint=RESTORE.format(host=row.made_on),
        commit=row.commit,
        digest=row.digest,
    )
