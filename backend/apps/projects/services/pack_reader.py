"""Reads commits back from the packs that Repomill has written, without git and without compressing anything again.

That is the quick way for as long as a store's packs are the ones that `pack_writer` made. What git has packed anew, or
another host has made, is not ours: NotFound is raised, and `git_objects` reads it. What is read as a whole is compared
with its id; what is opened is checked by whoever reads it: archives compare their content's SHA-256 with the record.
What is handed out as it lies there comes from packs that were compared with their own checksums.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from backend.apps.projects.services.content import CHUNK, DeflatedFile
from backend.apps.projects.services.git_objects import TreeFile
from backend.apps.projects.services.pack_file import (
    ZLIB_HEAD,
    ZLIB_TAIL,
    Deflated,
    Inflating,
    Pack,
    Place,
    damaged,
    elsewhere,
    inflated,
)
from backend.apps.projects.services.pack_format import BLOB, COMMIT, DIRECTORY, TREE, identifier, tree_entries
from backend.apps.projects.services.zip_writer import AT_ONCE

MOST_READ, READ_ANYWAY = 4, 256 * 1024
"""How many times the bytes that are needed may be read to check whole packs, and how many bytes more.

Beyond that it is quicker to inflate what is needed.
"""
MOST_PACKS = 64
"""Packs that are opened at once. Long before, git packs them into one; see `repacking`."""


class PackedObjects:
    """The objects in a store's own packs."""

    def __init__(self, packs: Sequence[Pack]) -> None:
        # The largest first: the project's first commit, which has most of it.
        self._packs = sorted(packs, key=lambda pack: -pack.size)
        self._found: dict[bytes, Place] = {}

    def files_of(self, commit: str) -> list[TreeFile]:
        """Return every file of a commit, in the order of the paths as UTF-8 bytes.

        Raises NotFound where any of it is not in these packs.
        """
        found: list[TreeFile] = []
        try:
            head = self._whole(bytes.fromhex(commit), COMMIT)
            word, _, root = head.partition(b"\n")[0].partition(b" ")
            if word == b"tree":
                self._collect(bytes.fromhex(root.decode()), "", files=found)
        except (ValueError, RecursionError):
            raise damaged() from None
        missing = {file.binsha for file in found}
        for pack in self._packs:
            missing -= pack.begins.keys()
        if missing:
            raise elsewhere()
        found.sort(key=lambda file: file.path)
        return found

    def size(self, binsha: bytes) -> int:
        """Return the bytes of a blob. Raises NotFound."""
        return self._object(binsha, BLOB).size

    def open(self, binsha: bytes) -> BinaryIO:
        """Open a blob, up to 1 MiB as a `DeflatedFile`. Raises NotFound, also while what is larger is read."""
        found = self._object(binsha, BLOB)
        if found.size > AT_ONCE:
            return BufferedReader(Inflating(found), CHUNK)
        packed = found.pack.read(found.begin, found.end)
        return DeflatedFile(inflated(packed, found.size), packed[ZLIB_HEAD:-ZLIB_TAIL])

    def contents(self, binshas: Sequence[bytes]) -> Iterator[bytes]:
        """Yield the contents of many blobs in their order. Raises NotFound."""
        for binsha in binshas:
            yield self._whole(binsha, BLOB)

    def require_whole(self, binshas: Iterable[bytes]) -> None:
        """Check the packs that hold these blobs as wholes, so that `deflated` can vouch for them without inflating.

        Raises NotFound for damage, for packs without sums, and where most of them would be read for nothing.
        """
        used: dict[Pack, int] = dict.fromkeys(self._packs, 0)
        for binsha in set(binshas):
            pack, begin = self._begin(binsha)
            used[pack] += pack.length(begin)
        packs = [pack for pack, count in used.items() if count]
        if sum(pack.size for pack in packs) > MOST_READ * sum(used.values()) + READ_ANYWAY:
            raise elsewhere()
        for pack in packs:
            pack.require_whole()

    def deflated(self, binsha: bytes) -> Deflated | None:
        """Return a blob as it lies in its pack, after `require_whole`; None for one that a zip holds in another way.

        Raises NotFound.
        """
        pack, begin = self._begin(binsha)
        return pack.deflated(begin)

    def _begin(self, binsha: bytes) -> tuple[Pack, int]:
        for pack in self._packs:
            begin = pack.begins.get(binsha)
            if begin is not None:
                return pack, begin
        raise elsewhere()

    def _collect(self, tree: bytes, prefix: str, *, files: list[TreeFile]) -> None:
        for mode, name, binsha in tree_entries(self._whole(tree, TREE)):
            path = prefix + name.decode()
            if mode == DIRECTORY:
                self._collect(binsha, f"{path}/", files=files)
            else:
                files.append(TreeFile(binsha, mode, path))

    def _whole(self, binsha: bytes, kind: int) -> bytes:
        found = self._object(binsha, kind)
        data = inflated(found.pack.read(found.begin, found.end), found.size)
        if identifier(kind, data) != binsha:
            raise damaged()
        return data

    def _object(self, binsha: bytes, kind: int) -> Place:
        found = self._found.get(binsha)
        if found is None:
            pack, begin = self._begin(binsha)
            found = self._found[binsha] = pack.place(begin)
        if found.kind != kind:
            raise damaged()
        return found


@contextmanager
def packed(git_dir: Path) -> Iterator[PackedObjects]:
    """Open a store's own packs for reading; there may be none, and of too many none are taken."""
    packs = []
    indexes = sorted((git_dir / "objects" / "pack").glob("pack-*.idx"))
    with ExitStack() as stack:
        for index in indexes if len(indexes) <= MOST_PACKS else ():
            # Somebody may be packing the store anew, and remove what was there.
            with suppress(FileNotFoundError, ValueError):
                descriptor = os.open(index.with_suffix(".pack"), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                stack.callback(os.close, descriptor)
                pack = Pack(descriptor)
                if pack.is_own():
                    pack.know(index.read_bytes())
                    packs.append(pack)
        yield PackedObjects(packs)
