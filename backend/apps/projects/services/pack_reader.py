"""Reads commits back from the packs that Repomill has written, without git and without compressing anything again.

That is the quick way for as long as a store's packs are the ones that `pack_writer` made. What git has packed anew, or
another host has made, is not ours: NotFound is raised, and `git_objects` reads it. What is read as a whole is compared
with its id; what is opened is checked by whoever reads it: archives compare their content's SHA-256 with the record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader, RawIOBase
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from isal import isal_zlib

from backend.apps.projects.services.content import CHUNK, DeflatedFile
from backend.apps.projects.services.git_objects import TreeFile
from backend.apps.projects.services.pack_format import (
    BLOB,
    COMMIT,
    DIRECTORY,
    FIRST_OBJECT,
    OWN,
    TRAILER_BYTES,
    TREE,
    identifier,
    parsed_head,
    parsed_index,
    tree_entries,
)
from backend.apps.projects.services.zip_writer import AT_ONCE
from backend.errors import NotFound

BLOCK, OVERLAP, MOST_BLOCKS = 256 * 1024, 32 * 1024, 8
"""Bytes of a pack that are read at once, how far they reach into the next, and how many of them are kept.

Objects that are asked for in order lie side by side, and what many files have in common is asked for again and again.
"""
LONGEST_LABEL = 1024
MOST_PACKS = 64
"""Packs that are opened at once. Long before, git packs them into one; see `repacking`."""
# Around the deflated bytes: zlib's two of a header, and a checksum of four.
_ZLIB_HEAD, _ZLIB_TAIL = 2, 4
# Its types say that this is an error, and not a kind of error.
_NotDeflated = cast("type[Exception]", isal_zlib.IsalError)


class _Object(NamedTuple):
    """Where an object lies: the pack, where its compressed bytes begin and end there, and how many it has inflated."""

    pack: _Pack
    kind: int
    size: int
    begin: int
    end: int


class _Pack:
    """One open pack."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._blocks: dict[int, bytes] = {}
        self.size = os.fstat(descriptor).st_size
        self.begins: dict[bytes, int] = {}
        self._ends: dict[int, int] = {}

    def know(self, index: bytes) -> None:
        """Take in which objects there are. Raises ValueError for what is no index."""
        names, begins = parsed_index(index)
        self.begins = dict(zip(names, begins, strict=True))
        self._ends = dict(pairwise([*sorted(begins), self.size - TRAILER_BYTES]))

    def find(self, name: bytes) -> _Object | None:
        """Return where an object lies; None when it is not here. Raises NotFound for a damaged pack."""
        begin = self.begins.get(name)
        if begin is None:
            return None
        number, at = divmod(begin, BLOCK)
        block = self._blocks.get(number) or self._block(number)
        try:
            kind, size, after = parsed_head(block, at)
        except IndexError:
            raise _damaged() from None
        return _Object(self, kind, size, begin + after - at, self._ends[begin])

    def read(self, begin: int, end: int) -> bytes:
        """Return bytes of the pack. Raises NotFound where it ends too early."""
        number, at = divmod(begin, BLOCK)
        block = self._blocks.get(number) or self._block(number)
        found = block[at : at + end - begin]
        if len(found) < end - begin:
            # It is longer than blocks overlap.
            found = os.pread(self._descriptor, end - begin, begin)
        if len(found) < end - begin:
            raise _damaged()
        return found

    def _block(self, number: int) -> bytes:
        if len(self._blocks) >= MOST_BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        block = self._blocks[number] = os.pread(self._descriptor, BLOCK + OVERLAP, number * BLOCK)
        return block

    def is_own(self) -> bool:
        """Return whether Repomill has written it, as it writes packs now."""
        try:
            block = self._block(0)
            kind, _, start = parsed_head(block, FIRST_OBJECT)
            head = block[start : start + LONGEST_LABEL]
            return kind == BLOB and isal_zlib.decompressobj().decompress(head, len(OWN)) == OWN
        except (IndexError, _NotDeflated):
            return False


class PackedObjects:
    """The objects in a store's own packs."""

    def __init__(self, packs: Sequence[_Pack]) -> None:
        # The largest first: the project's first commit, which has most of it.
        self._packs = sorted(packs, key=lambda pack: -pack.size)
        self._found: dict[bytes, _Object] = {}

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
            raise _damaged() from None
        missing = {file.binsha for file in found}
        for pack in self._packs:
            missing -= pack.begins.keys()
        if missing:
            raise _elsewhere()
        found.sort(key=lambda file: file.path)
        return found

    def size(self, binsha: bytes) -> int:
        """Return the bytes of a blob. Raises NotFound."""
        return self._object(binsha, BLOB).size

    def open(self, binsha: bytes) -> BinaryIO:
        """Open a blob, up to 1 MiB as a `DeflatedFile`. Raises NotFound, also while what is larger is read."""
        found = self._object(binsha, BLOB)
        if found.size > AT_ONCE:
            return BufferedReader(_Inflated(found), CHUNK)
        packed = found.pack.read(found.begin, found.end)
        return DeflatedFile(_inflated(packed, found.size), packed[_ZLIB_HEAD:-_ZLIB_TAIL])

    def contents(self, binshas: Sequence[bytes]) -> Iterator[bytes]:
        """Yield the contents of many blobs in their order. Raises NotFound."""
        for binsha in binshas:
            yield self._whole(binsha, BLOB)

    def _collect(self, tree: bytes, prefix: str, *, files: list[TreeFile]) -> None:
        for mode, name, binsha in tree_entries(self._whole(tree, TREE)):
            path = prefix + name.decode()
            if mode == DIRECTORY:
                self._collect(binsha, f"{path}/", files=files)
            else:
                files.append(TreeFile(binsha, mode, path))

    def _whole(self, binsha: bytes, kind: int) -> bytes:
        found = self._object(binsha, kind)
        data = _inflated(found.pack.read(found.begin, found.end), found.size)
        if identifier(kind, data) != binsha:
            raise _damaged()
        return data

    def _object(self, binsha: bytes, kind: int) -> _Object:
        found = self._found.get(binsha)
        if found is None:
            found = self._found[binsha] = self._find(binsha)
        if found.kind != kind:
            raise _damaged()
        return found

    def _find(self, binsha: bytes) -> _Object:
        for pack in self._packs:
            found = pack.find(binsha)
            if found is not None:
                return found
        raise _elsewhere()


class _Inflated(RawIOBase):
    """The bytes of a large object."""

    def __init__(self, found: _Object) -> None:
        self._pack, self._begin, self._end, self._left = found.pack, found.begin, found.end, found.size
        self._inflate = isal_zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (any writable buffer)
        """Read some of the object; 0 is its end."""
        try:
            data = b""
            while not data and not self._inflate.eof:
                packed = self._inflate.unconsumed_tail or self._next()
                data = self._inflate.decompress(packed, len(buffer))
        except _NotDeflated:
            raise _damaged() from None
        self._left -= len(data)
        if self._left < 0 or (not data and self._left):
            raise _damaged()
        buffer[: len(data)] = data
        return len(data)

    def _next(self) -> bytes:
        begin, self._begin = self._begin, min(self._begin + CHUNK, self._end)
        if begin == self._begin:
            raise _damaged()
        return self._pack.read(begin, self._begin)


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
                pack = _Pack(descriptor)
                if pack.is_own():
                    pack.know(index.read_bytes())
                    packs.append(pack)
        yield PackedObjects(packs)


def _inflated(packed: bytes, size: int) -> bytes:
    try:
        # No more at first: a size may be damaged too.
        data: bytes = isal_zlib.decompress(packed, bufsize=min(size, AT_ONCE) or 1)
    except _NotDeflated:
        raise _damaged() from None
    if len(data) != size:
        raise _damaged()
    return data


def _elsewhere() -> NotFound:
    return NotFound("The store's own packs do not hold all of the commit.")


def _damaged() -> NotFound:
    return NotFound("A pack of the git store is damaged.", hint="Restore the folder git-stores from a backup.")
