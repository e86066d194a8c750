"""Git's pack format, as far as Repomill writes and reads it itself: whole objects, one after the other, no deltas.

Source: gitformat-pack(5). `pack_writer` writes packs, `pack_reader` reads those that it wrote.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Mapping, Sequence

import isal

from backend.apps.projects.services.zip_writer import LEVEL

COMMIT, TREE, BLOB = 1, 2, 3
NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob"}

HEADER = struct.Struct(">4sII")
SIGNATURE, VERSION = b"PACK", 2
FIRST_OBJECT = HEADER.size
TRAILER_BYTES = 20
IDENTIFIER_BYTES = 20

_OWN = b"A pack of Repomill's, format %d: isal %b, level %d.\n"
OWN = _OWN % (2, isal.__version__.encode(), LEVEL)
"""How the first object of our own packs begins. It says how everything in the pack is compressed: as a zip has it too.

Git never puts this object first in a pack that it makes anew, since it begins with commits.
"""
OWN_WITHOUT_SUMS = _OWN % (1, isal.__version__.encode(), LEVEL)
"""The same of older packs, which do not end with `sums`."""
_SUMS = b"The CRC-32 of what each object before this one holds, in their order. "

PLAIN, EXECUTABLE, DIRECTORY = 0o100644, 0o100755, 0o040000

_MODES = {b"%o" % mode: mode for mode in (PLAIN, EXECUTABLE, DIRECTORY)}
_entries = re.compile(rb"([0-7]+) ([^\0]*)\0(.{%d})" % IDENTIFIER_BYTES, re.DOTALL).findall
_AROUND = len(b" \0") + IDENTIFIER_BYTES

_INDEX_SIGNATURE = b"\377tOc\0\0\0\2"
_FANOUT_BYTES = 256 * 4
_LARGE = 1 << 31
_LONGEST_SIZE = 64
"""Bits of an object's size; more are nobody's."""


def identifier(kind: int, data: bytes) -> bytes:
    """Return an object's id as git computes it, 20 bytes."""
    return hashlib.sha1(b"%b %d\0%b" % (NAMES[kind], len(data), data), usedforsecurity=False).digest()


EMPTY_TREE = identifier(TREE, b"")
"""A tree that holds nothing. Git knows it without having it."""


def object_head(kind: int, size: int) -> bytes:
    """Return what stands before an object's compressed bytes: its kind, and its size when it is not compressed."""
    byte, size = kind << 4 | size & 0xF, size >> 4
    head = bytearray()
    while size:
        head.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    head.append(byte)
    return bytes(head)


def parsed_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return kind and size of the object that begins here, and where its compressed bytes do. Raises IndexError."""
    byte = data[at]
    kind, size, shift = byte >> 4 & 7, byte & 0xF, 4
    at += 1
    while byte & 0x80 and shift < _LONGEST_SIZE:
        byte = data[at]
        size |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    return kind, size, at


def tree_entries(tree: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield mode, name and id of everything in a tree object. Raises ValueError for what is none."""
    found = _entries(tree)
    if sum([len(mode) + len(name) for mode, name, _ in found]) + _AROUND * len(found) != len(tree):
        raise ValueError("No tree object.")
    for mode, name, binsha in found:
        yield _MODES.get(mode) or int(mode, 8), name, binsha


def tree_data(entries: Mapping[str, tuple[int, bytes]]) -> bytes:
    """Return the tree object that holds these: mode and id by name."""
    # Git sorts a directory as if its name ended with a slash.
    lines = [
        (name.encode() + b"/" if mode == DIRECTORY else name.encode(), b"%o %b\0%b" % (mode, name.encode(), binsha))
        for name, (mode, binsha) in entries.items()
    ]
    return b"".join([line for _, line in sorted(lines)])


def sums(found: Sequence[int], *, label: bytes) -> bytes:
    """Return what the last object of a pack holds: the CRC-32 of the content of each object before it.

    A zip wants them, and otherwise everything would have to be inflated for it. label: bytes that no other pack has.
    """
    return b"%b%b\n%b" % (_SUMS, label, struct.pack(f">{len(found)}I", *found))


def parsed_sums(data: bytes, *, count: int) -> tuple[int, ...]:
    """Return what `sums` was given, `count` of them. Raises ValueError for what is not that."""
    end = data.index(b"\n") + 1
    if not data.startswith(_SUMS) or len(data) != end + 4 * count:
        raise ValueError("The pack does not end with its sums.")
    return struct.unpack_from(f">{count}I", data, end)


def parsed_index(index: bytes) -> tuple[list[bytes], list[int]]:
    """Return the ids in a pack's index, sorted, and where in the pack each object begins.

    Raises ValueError for another version, and for packs of 2 GiB and more.
    """
    if not index.startswith(_INDEX_SIGNATURE):
        raise ValueError("No index of version 2.")
    names = len(_INDEX_SIGNATURE) + _FANOUT_BYTES
    try:
        (count,) = struct.unpack_from(">I", index, names - 4)
        # After the ids there are checksums, four bytes for each.
        begins = struct.unpack_from(f">{count}I", index, names + count * (IDENTIFIER_BYTES + 4))
    except struct.error:
        raise ValueError("The index ends too early.") from None
    if any(begin >= _LARGE for begin in begins):
        raise ValueError("The pack is too large.")
    found = [
        index[at : at + IDENTIFIER_BYTES] for at in range(names, names + count * IDENTIFIER_BYTES, IDENTIFIER_BYTES)
    ]
    return found, list(begins)
