"""Keeps git stores small and quick: every generation adds a pack, and many packs make every look-up slower.

One `git repack` puts all packs and single objects of a store into one pack. Nothing is lost by it, whoever works in the
store meanwhile: objects that nothing names yet (a commit that is just being made) are kept, a reader that misses a pack
looks again, and git puts the new pack in place before it removes the old ones. Two repacks of one store are kept apart
by a lock. Which commits exist is not changed.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from backend.apps.projects.errors import GitFailed
from backend.apps.projects.services.git_process import run
from backend.apps.projects.services.git_store import GitStore

logger = logging.getLogger(__name__)
MOST_PACKS = 30
"""Packs that a store may have before it is packed anew."""
REPACK_SECONDS = 1200.0
_OPTIONS = ("core.fsync=committed,reference", "pack.windowMemory=100m", "pack.writeBitmaps=false")


def repack_if_needed(store: GitStore, *, most_packs: int = MOST_PACKS) -> bool:
    """Repack a store that has more packs than that, and return whether it was done. Raises GitFailed.

    False also while another process repacks it.
    """
    if not store.exists() or pack_count(store) <= most_packs:
        return False
    with _alone(store.path) as alone:
        if alone:
            # One that was killed may have left as much as the whole store.
            store.sweep()
            # -k: what nothing names is kept, since it may be a commit that gets its name in a moment.
            run("repack", "-a", "-d", "-k", "-l", "-q", git_dir=store.path, options=_OPTIONS, timeout=REPACK_SECONDS)
        return alone


def repack_stores(*, most_packs: int = MOST_PACKS) -> int:
    """Repack every store that needs it, and return how many did. One that cannot be repacked holds up no other."""
    repacked = 0
    for path in sorted(Path(settings.GIT_STORES_DIR).glob("*.git")):
        try:
            repacked += repack_if_needed(GitStore(path), most_packs=most_packs)
        except (GitFailed, OSError) as error:
            logger.warning("the git store %s cannot be packed anew: %s", path.stem, error)
    return repacked


def pack_count(store: GitStore) -> int:
    """Return how many packs a store has."""
    return sum(1 for _ in (store.path / "objects" / "pack").glob("pack-*.pack"))


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Hold the store's lock against other repacks, if it is free; it ends with this process."""
    descriptor = os.open(path / "repack.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
