"""One pack of the git store that is open: where each object lies in it, and what it holds.

Which of them make a commit is `pack_reader`'s.
"""

from __future__ import annotations

import hashlib
import os
from io import RawIOBase
from itertools import pairwise
from typing import Any, NamedTuple, cast

from isal import isal_zlib

from backend.apps.projects.services.content import CHUNK
from backend.apps.projects.services.pack_format import (
    BLOB,
    FIRST_OBJECT,
    OWN,
    OWN_WITHOUT_SUMS,
    TRAILER_BYTES,
    parsed_head,
    parsed_index,
    parsed_sums,
)
from backend.apps.projects.services.zip_writer import AT_ONCE, GROWTH
from backend.errors import NotFound

BLOCK, OVERLAP, MOST_BLOCKS = 256 * 1024, 32 * 1024, 8
"""Bytes of a pack that are read at once, how far they reach into the next, and how many of them are kept.

Objects that are asked for in order lie side by side, and what many files have in common is asked for again and again.
"""
LONGEST_LABEL = 1024
MOST_DEFLATED = int(AT_ONCE * GROWTH)
"""Bytes that a file of AT_ONCE takes at the most, when it cannot be compressed."""
# Around the deflated bytes: zlib's two of a header, and a checksum of four.
ZLIB_HEAD, ZLIB_TAIL = 2, 4
# Its types say that this is an error, and not a kind of error.
_NotDeflated = cast("type[Exception]", isal_zlib.IsalError)


class Place(NamedTuple):
    """Where an object lies: the pack, where its compressed bytes begin and end there, and how many it has inflated."""

    pack: Pack
    kind: int
    size: int
    begin: int
    end: int


class Deflated(NamedTuple):
    """A file as it lies in a pack, for a zip: its raw deflate, and the size and CRC-32 of its content."""

    deflated: bytes
    size: int
    crc: int


class Pack:
    """One open pack."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._blocks: dict[int, bytes] = {}
        self.size = os.fstat(descriptor).st_size
        self.has_sums = False
        self.begins: dict[bytes, int] = {}
        self._ends: dict[int, int] = {}
        self._sums: dict[int, int] = {}
        self._trailer = os.pread(descriptor, TRAILER_BYTES, max(0, self.size - TRAILER_BYTES))

    def know(self, index: bytes) -> None:
        """Take in which objects there are. Raises ValueError for what is no index, or that of another pack."""
        names, begins = parsed_index(index)
        if hashlib.sha1(index[:-TRAILER_BYTES], usedforsecurity=False).digest() != index[-TRAILER_BYTES:] or (
            index[-2 * TRAILER_BYTES : -TRAILER_BYTES] != self._trailer
        ):
            raise ValueError("The index is damaged, or another pack's.")
        self.begins = dict(zip(names, begins, strict=True))
        self._ends = dict(pairwise([*sorted(begins), self.size - TRAILER_BYTES]))

    def place(self, begin: int) -> Place:
        """Return what the object is that begins here. Raises NotFound for a damaged pack."""
        number, at = divmod(begin, BLOCK)
        block = self._blocks.get(number) or self._block(number)
        try:
            kind, size, after = parsed_head(block, at)
        except IndexError:
            raise damaged() from None
        return Place(self, kind, size, begin + after - at, self._ends[begin])

    def require_whole(self) -> None:
        """Raise NotFound unless all of the pack is what was written, which git has checked then; learn its sums.

        Whatever became of the disk or the index since, what is read after this is what was committed.
        """
        if self._sums:
            return
        if not self.has_sums:
            raise elsewhere()
        if self._digest() != self._trailer:
            raise damaged()
        *before, last = sorted(self._ends)
        found = self.place(last)
        data = inflated(self.read(found.begin, found.end), found.size)
        try:
            self._sums = dict(zip(before, parsed_sums(data, count=len(before)), strict=True))
        except ValueError:
            raise damaged() from None

    def length(self, begin: int) -> int:
        """Return the bytes that the object takes which begins here."""
        return self._ends[begin] - begin

    def deflated(self, begin: int) -> Deflated | None:
        """Return the blob that begins here; see `PackedObjects.deflated`."""
        end = self._ends[begin]
        if end - begin > MOST_DEFLATED:
            return None
        data = self.read(begin, end)
        kind, size, at = parsed_head(data, 0)
        if kind != BLOB:
            raise damaged()
        deflated = data[at + ZLIB_HEAD : -ZLIB_TAIL]
        return Deflated(deflated, size, self._sums[begin]) if len(deflated) < size <= AT_ONCE else None

    def _digest(self) -> bytes:
        digest, left = hashlib.sha1(usedforsecurity=False), self.size - TRAILER_BYTES
        while left > 0 and (part := os.pread(self._descriptor, min(left, CHUNK), self.size - TRAILER_BYTES - left)):
            digest.update(part)
            left -= len(part)
        return digest.digest()

    def read(self, begin: int, end: int) -> bytes:
        """Return bytes of the pack. Raises NotFound where it ends too early."""
        number, at = divmod(begin, BLOCK)
        block = self._blocks.get(number) or self._block(number)
        found = block[at : at + end - begin]
        if len(found) < end - begin:
            # It is longer than blocks overlap.
            found = os.pread(self._descriptor, end - begin, begin)
        if len(found) < end - begin:
            raise damaged()
        return found

    def _block(self, number: int) -> bytes:
        if len(self._blocks) >= MOST_BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        block = self._blocks[number] = os.pread(self._descriptor, BLOCK + OVERLAP, number * BLOCK)
        return block

    def is_own(self) -> bool:
        """Return whether Repomill has written it, and learn whether it ends with sums."""
        try:
            block = self._block(0)
            kind, _, start = parsed_head(block, FIRST_OBJECT)
            head = block[start : start + LONGEST_LABEL]
            label = isal_zlib.decompressobj().decompress(head, len(OWN))
            self.has_sums = label == OWN
            return kind == BLOB and label in {OWN, OWN_WITHOUT_SUMS}
        except (IndexError, _NotDeflated):
            return False


class Inflating(RawIOBase):
    """The bytes of a large object."""

    def __init__(self, found: Place) -> None:
        self._pack, self._begin, self._end, self._left = found.pack, found.begin, found.end, found.size
        self._inflate = isal_zlib.decompressobj()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (any writable buffer)
        """Read some of the object; 0 is its end."""
        try:
            data = b""
            while not data and not self._inflate.eof:
                packed = self._inflate.unconsumed_tail or self._next()
                data = self._inflate.decompress(packed, len(buffer))
        except _NotDeflated:
            raise damaged() from None
        self._left -= len(data)
        if self._left < 0 or (not data and self._left):
            raise damaged()
        buffer[: len(data)] = data
        return len(data)

    def _next(self) -> bytes:
        begin, self._begin = self._begin, min(self._begin + CHUNK, self._end)
        if begin == self._begin:
            raise damaged()
        return self._pack.read(begin, self._begin)


def inflated(packed: bytes, size: int) -> bytes:
    """Return what an object holds by its compressed bytes. Raises NotFound unless that is `size` bytes."""
    try:
        # No more at first: a size may be damaged too.
        data: bytes = isal_zlib.decompress(packed, bufsize=min(size, AT_ONCE) or 1)
    except _NotDeflated:
        raise damaged() from None
    if len(data) != size:
        raise damaged()
    return data


def elsewhere() -> NotFound:
    """Return what is raised where git has to be asked."""
    return NotFound("The store's own packs do not hold all of the commit.")


def damaged() -> NotFound:
    """Return what is raised for a pack that is not as it was written."""
    return NotFound("A pack of the git store is damaged.", hint="Restore the folder git-stores from a backup.")
