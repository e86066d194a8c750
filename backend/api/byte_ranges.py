"""Which bytes a Range header asks for (RFC 9110, section 14). Pure: it sends nothing."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

MOST_RANGES = 16
"""Ranges that one request may ask for; more of them are an attack rather than a reader."""

_SPECIFIER = re.compile(r"(\d{1,18})?-(\d{1,18})?", re.ASCII)


class ByteRange(NamedTuple):
    """Bytes of a file from `begin` up to but not including `end`."""

    begin: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.end - self.begin

    def content_range(self, size: int) -> str:
        """Return it as the value of a Content-Range header, for a file of `size` bytes."""
        return f"bytes {self.begin}-{self.end - 1}/{size}"


class NotSatisfiable(Exception):
    """No byte of the file is asked for, or the ranges are too many or overlap."""


def wanted_ranges(header: str, *, size: int) -> list[ByteRange] | None:
    """Return the ranges that a Range header asks for, in its order; None where it is to be ignored.

    It is ignored where its unit is not bytes or it is malformed: then the whole file is the answer.
    size: of the file, in bytes. Raises NotSatisfiable.
    """
    unit, equals, specifiers = header.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    found: list[ByteRange] = []
    for number, specifier in enumerate(specifiers.split(",")):
        match = _SPECIFIER.fullmatch(specifier.strip())
        if match is None or not any(match.groups()):
            return None
        if number >= MOST_RANGES:
            raise NotSatisfiable
        first, last = match.groups()
        if first and last and int(last) < int(first):
            return None
        wanted = _within(first, last, size=size)
        if wanted.size > 0:
            found.append(wanted)
    if not found or _overlap(found):
        raise NotSatisfiable
    return found


def _within(first: str | None, last: str | None, *, size: int) -> ByteRange:
    if first is None:
        return ByteRange(max(0, size - int(last or 0)), size)
    end = size if last is None else min(size, int(last) + 1)
    return ByteRange(int(first), max(int(first), end))


def _overlap(ranges: list[ByteRange]) -> bool:
    ordered = sorted(ranges)
    return any(after.begin < before.end for before, after in pairwise(ordered))
