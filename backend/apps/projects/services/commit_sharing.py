"""Lets hosts that share no folder have the commits of each other's git stores, by way of the storage `packs`.

Who has made a commit puts one pack there: what of it the packs of the commits that it follows do not hold. Who needs a
commit that its own store lacks fetches that pack and those it builds on, each compared with its SHA-256 and indexed by
git, which computes every object's id anew. The commit gets its name in the store only once nothing it needs is missing.

Without such a storage nothing here does anything. Which bytes are kept where is `pack_storage`'s.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from uuid import UUID

from backend.apps.projects.errors import ContentMissing, GitFailed
from backend.apps.projects.models import StoredPack
from backend.apps.projects.services.content import CHUNK, chunks
from backend.apps.projects.services.git_process import run, started
from backend.apps.projects.services.pack_storage import RESTORE, fetch, packs_storage, put
from backend.errors import TemporaryFailure
from backend.failpoints import Failpoint, reached

if TYPE_CHECKING:
    from backend.apps.projects.services.git_store import GitStore

LONGEST_CHAIN = 30
"""Packs that are fetched one after the other for one commit; the next one stands alone, with the whole history."""
SECONDS = 900.0
_OPTIONS = ("core.fsync=committed,reference", "pack.threads=1")
NAMING_SECONDS = 60.0
LONGEST_LOCK = 2 * NAMING_SECONDS
"""Seconds. No git holds the lock of a name for longer."""
_NAMING = (
    # A generation counts as soon as its commit is recorded: then it must survive a power cut.
    "core.fsync=committed,reference",
    # Many generations may be recorded at the same moment.
    "core.filesRefLockTimeout=10000",
    "core.packedRefsTimeout=10000",
)


def share(store: GitStore, *, project_id: UUID, commit: str, follows: Collection[str] = ()) -> bool:
    """Put what the other hosts need for a commit into the storage, and return whether there was something to put.

    follows: commits that the store has too, and that much of this one comes from. May be repeated.
    Raises StorageUnavailable, GitFailed.
    """
    packs = StoredPack.objects.filter(project_id=project_id)
    if packs_storage() is None or packs.filter(commit=commit).exists():
        return False
    known = {row.commit: row.depth for row in packs.filter(commit__in=set(follows))}
    depth = 1 + max(known.values(), default=-1)
    if depth > LONGEST_CHAIN:
        known, depth = {}, 0
    with tempfile.TemporaryFile(prefix="repomill-pack-") as file:
        pack = cast(BinaryIO, file)
        size, digest = write_pack(store, commit=commit, without=known, into=pack)
        pack.seek(0)
        put(pack, project_id=project_id, digest=digest)
    reached(Failpoint.SHARED)
    packs.get_or_create(
        commit=commit,
        defaults={
            "project_id": project_id,
            "follows": sorted(known),
            "depth": depth,
            "size": size,
            "digest": digest,
            "made_on": socket.gethostname(),
        },
    )
    return True


def write_pack(store: GitStore, *, commit: str, without: Collection[str], into: BinaryIO) -> tuple[int, str]:
    """Write a pack of what a commit needs and others have not; return its size and SHA-256. Raises GitFailed."""
    digest, size = hashlib.sha256(), 0
    with started(
        # What the store has is copied as it is, compressed already; deltas cost more time than they save.
        *("pack-objects", "--revs", "--stdout", "-q", "--window=0", "--delta-base-offset"),
        git_dir=store.path,
        options=_OPTIONS,
        timeout=SECONDS,
        output_limit=None,
    ) as process:
        # An empty line ends the list.
        process.ask("\n".join([commit, *(f"^{other}" for other in without), ""]).encode())
        for chunk in chunks(cast(BinaryIO, process.output)):
            digest.update(chunk)
            size += len(chunk)
            into.write(chunk)
        process.finish()
    return size, digest.hexdigest()


def bring(store: GitStore, *, project_id: UUID, commit: str) -> bool:
    """Fetch a commit that the store lacks; False where the storage has never had it.

    Several may ask at once: one fetches, and the others wait for it.
    Raises ContentMissing where something of it is missing or damaged, StorageUnavailable, GitFailed.
    """
    rows = {row.commit: row for row in StoredPack.objects.filter(project_id=project_id)}
    if packs_storage() is None or commit not in rows:
        return False
    store.create()
    with _alone(store.path):
        if has_name(store, commit):
            return True
        for row in _in_order(rows, commit, store=store):
            _install(row, store=store)
    return True


def has_name(store: GitStore, commit: str) -> bool:
    """Return whether the store keeps a commit for good, with everything that it needs."""
    name = f"refs/generations/{commit}"
    if (store.path / name).is_file():
        return True
    packed = store.path / "packed-refs"
    return packed.is_file() and f" {name}\n" in packed.read_text("utf-8", "replace")


def give_name(store: GitStore, commit: str) -> None:
    """Keep a commit of the store for good, so that no clean-up of git's takes it.

    Raises GitFailed, and TemporaryFailure where a lock is in the way: a git that was killed has left it, and once it is
    older than any that works it is removed.
    """
    lock = store.path / f"refs/generations/{commit}.lock"
    with suppress(FileNotFoundError):
        if time.time() - lock.stat().st_mtime > LONGEST_LOCK:
            lock.unlink()
    try:
        run(
            *("update-ref", "--stdin"),
            git_dir=store.path,
            options=_NAMING,
            timeout=NAMING_SECONDS,
            given=f"update refs/generations/{commit} {commit}\n".encode(),
        )
    except GitFailed as error:
        if error.retryable or not lock.exists():
            raise
        raise TemporaryFailure(
            f"The git store's {lock.name} is locked.",
            hint="A git that was killed has left the lock. It is removed by the attempt after this one.",
            retry_after=LONGEST_LOCK,
        ) from error


def _in_order(rows: dict[str, StoredPack], commit: str, *, store: GitStore) -> list[StoredPack]:
    """Return the packs that have to be fetched, each after those it builds on."""
    found: dict[str, StoredPack] = {}
    waiting = [commit]
    while waiting:
        last = waiting[-1]
        row = rows.get(last)
        if row is None:
            raise ContentMissing(
                f"Nothing says where the commit {last[:12]} of the project is kept, which {commit[:12]} builds on.",
                hint="Restore the database and the storage from backups of one time.",
                commit=last,
            )
        needed = [other for other in row.follows if other not in found and not has_name(store, other)]
        if needed:
            waiting += needed
        else:
            found.setdefault(last, row)
            waiting.pop()
    return list(found.values())


def _install(row: StoredPack, *, store: GitStore) -> None:
    with tempfile.TemporaryFile(prefix="repomill-pack-") as file:
        pack = cast(BinaryIO, file)
        fetch(row, into=pack)
        pack.seek(0)
        with started("index-pack", "--stdin", git_dir=store.path, options=_OPTIONS, timeout=SECONDS) as process:
            for chunk in iter(lambda: pack.read(CHUNK), b""):
                process.write(chunk)
            process.finish()
    try:
        # Goes to every object that no other named commit has, and stops at the first that is not there.
        run(
            *("rev-list", "--objects", "--quiet", row.commit, "--not", "--glob=refs/generations/*"),
            git_dir=store.path,
            timeout=SECONDS,
        )
    except GitFailed as error:
        raise ContentMissing(
            f"What the storage holds of the commit {row.commit[:12]} is not all of it.",
            hint=RESTORE.format(host=row.made_on),
            commit=row.commit,
            digest=row.digest,
        ) from error
    give_name(store, row.commit)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until nobody else fetches into the store; the lock ends with this process."""
    descriptor = os.open(path / "fetch.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
