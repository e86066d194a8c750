"""Writing a zip as a stream, with ISA-L's deflate.

The standard library's zipfile cannot be given another deflate, and takes more time for its own work on each file than
the compression does. What it and other programs read is what is written here: names in UTF-8, sizes ahead of every file
that is small enough to be compressed at once, a descriptor after the others, and 64-bit fields where they are needed.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from isal import isal_zlib

LEVEL = 2
AT_ONCE = 1024 * 1024
LIMIT_32 = 0xFFFFFFFF
LIMIT_16 = 0xFFFF
# How much larger deflate can make what cannot be compressed, with room to spare.
GROWTH = 1.05

STORED, DEFLATED = 0, 8
UNIX = 3 << 8
DESCRIPTOR_FLAG, UTF8_FLAG = 0x8, 0x800
# 1980-01-01, the oldest date that a zip can hold, at midnight.
MIDNIGHT, NEW_YEAR_1980 = 0, 1 << 5 | 1
VERSION, VERSION_64 = 20, 45


_PLAIN, _EXECUTABLE = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755
_LOCAL_SIGNATURE, _CENTRAL_SIGNATURE = 0x04034B50, 0x02014B50
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")


@dataclass(slots=True)
class _Member:
    name: bytes
    attributes: int
    flags: int
    method: int
    offset: int
    crc: int = 0
    compressed: int = 0
    size: int = 0
    wide: bool = False

    def local_header(self, *, known: bool) -> bytes:
        crc, compressed, size = (self.crc, self.compressed, self.size) if known else (0, 0, 0)
        extra = b""
        if self.wide:
            extra = struct.pack("<HHQQ", 1, 16, size, compressed)
            compressed = size = LIMIT_32
        head = _LOCAL.pack(
            *(_LOCAL_SIGNATURE, self._version, self.flags, self.method, MIDNIGHT, NEW_YEAR_1980),
            *(crc, compressed, size, len(self.name), len(extra)),
        )
        return head + self.name + extra

    def descriptor(self) -> bytes:
        sizes = "QQ" if self.wide else "II"
        return struct.pack(f"<II{sizes}", 0x08074B50, self.crc, self.compressed, self.size)

    def central_header(self) -> bytes:
        size, compressed, offset = numbers = (self.size, self.compressed, self.offset)
        extra, version = b"", self._version
        if max(numbers) >= LIMIT_32:
            extra = b"".join(struct.pack("<Q", number) for number in numbers if number >= LIMIT_32)
            extra = struct.pack("<HH", 1, len(extra)) + extra
            size, compressed, offset = (min(number, LIMIT_32) for number in numbers)
            version = VERSION_64
        head = _CENTRAL.pack(
            *(_CENTRAL_SIGNATURE, UNIX | version, version, self.flags, self.method, MIDNIGHT, NEW_YEAR_1980),
            *(self.crc, compressed, size, len(self.name), len(extra), 0, 0, 0, self.attributes, offset),
        )
        return head + self.name + extra

    @property
    def _version(self) -> int:
        return VERSION_64 if self.wide else VERSION


class ZipWriter:
    """Writes one zip into a stream that need not be able to seek. `finish` writes its end."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output
        self._written = 0
        self._directory: list[bytes] = []

    def add_directory(self, name: str) -> None:
        """Add a directory; its name has no slash at its end."""
        member = self._member(f"{name}/", stat.S_IFDIR | 0o755, method=STORED)
        # The directory bit of those systems that know no modes.
        member.attributes |= 0x10
        self._write(member.local_header(known=True))
        self._directory.append(member.central_header())

    def add_file(self, name: str, chunks: Iterator[bytes], *, size: int, executable: bool) -> None:
        """Add a file of `size` bytes, of which each chunk has at most AT_ONCE."""
        if size <= AT_ONCE:
            self.add_small_file(name, b"".join(chunks), executable=executable)
            return
        member = self._member(name, _EXECUTABLE if executable else _PLAIN, method=DEFLATED)
        self._in_parts(member, chunks, size=size)

    def add_small_file(self, name: str, data: bytes, *, executable: bool, deflated: bytes | None = None) -> None:
        """Add a file of at most AT_ONCE bytes, which are compressed at once.

        deflated: the same bytes compressed by raw deflate at LEVEL, where somebody has them.
        """
        body = isal_zlib.compress(data, LEVEL, wbits=-15) if deflated is None else deflated
        if len(body) < len(data):
            self.add_deflated(name, body, crc=isal_zlib.crc32(data), size=len(data), executable=executable)
        else:
            self._add_whole(name, data, crc=isal_zlib.crc32(data), size=len(data), executable=executable, method=STORED)

    def add_deflated(self, name: str, deflated: bytes, *, crc: int, size: int, executable: bool) -> None:
        """Add a file of at most AT_ONCE bytes by what raw deflate at LEVEL makes of it, which must be less.

        crc: the CRC-32 of its `size` bytes.
        """
        self._add_whole(name, deflated, crc=crc, size=size, executable=executable, method=DEFLATED)

    def finish(self) -> None:
        """Write the directory of all that was added."""
        start = self._written
        for header in self._directory:
            self._write(header)
        length, count = self._written - start, len(self._directory)
        if start >= LIMIT_32 or length >= LIMIT_32 or count >= LIMIT_16:
            end = self._written
            self._write(struct.pack("<IQHHII", 0x06064B50, 44, UNIX | VERSION_64, VERSION_64, 0, 0))
            self._write(struct.pack("<QQQQ", count, count, length, start))
            self._write(struct.pack("<IIQI", 0x07064B50, 0, end, 1))
        count = min(count, LIMIT_16)
        self._write(struct.pack("<IHHHH", 0x06054B50, 0, 0, count, count))
        self._write(struct.pack("<IIH", min(length, LIMIT_32), min(start, LIMIT_32), 0))

    def _member(self, name: str, mode: int, *, method: int) -> _Member:
        flags = 0 if name.isascii() else UTF8_FLAG
        return _Member(name.encode(), mode << 16, flags, method, offset=self._written)

    def _add_whole(self, name: str, body: bytes, *, crc: int, size: int, executable: bool, method: int) -> None:
        # Twenty thousand small files are twenty thousand times this, so it makes no object for each.
        encoded, offset, length = name.encode(), self._written, len(body)
        flags = 0 if len(encoded) == len(name) else UTF8_FLAG
        attributes = (_EXECUTABLE if executable else _PLAIN) << 16
        known = (VERSION, flags, method, MIDNIGHT, NEW_YEAR_1980, crc, length, size, len(encoded), 0)
        self._write(b"%b%b%b" % (_LOCAL.pack(_LOCAL_SIGNATURE, *known), encoded, body))
        if offset < LIMIT_32:
            central = _CENTRAL.pack(_CENTRAL_SIGNATURE, UNIX | VERSION, *known, 0, 0, 0, attributes, offset)
            self._directory.append(central + encoded)
        else:
            member = _Member(encoded, attributes, flags, method, offset, crc, length, size)
            self._directory.append(member.central_header())

    def _in_parts(self, member: _Member, chunks: Iterator[bytes], *, size: int) -> None:
        member.flags |= DESCRIPTOR_FLAG
        member.wide = size * GROWTH >= LIMIT_32
        self._write(member.local_header(known=False))
        start = self._written
        deflate = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)
        for chunk in chunks:
            member.crc = isal_zlib.crc32(chunk, member.crc)
            member.size += len(chunk)
            self._write(deflate.compress(chunk))
        self._write(deflate.flush())
        member.compressed = self._written - start
        self._write(member.descriptor())
        self._directory.append(member.central_header())

    def _write(self, data: bytes) -> None:
        self._output.write(data)
        self._written += len(data)
