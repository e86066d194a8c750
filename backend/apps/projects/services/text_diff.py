"""The unified diff of two texts, as git would write it: a line ends with a line feed, and with nothing else.

What is alike at both ends is left out before the rest is compared, and of what is left there may be so much: Python's
difflib takes cubic time on lines that repeat themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from io import StringIO
from itertools import takewhile
from typing import Literal

MOST_LINES = 3000
"""Lines of either text that are compared, without what both begin and end with."""
AROUND = 3
Part = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]


def as_text(data: bytes) -> str | None:
    """Return the text that the bytes are, None where they are none."""
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def lines_of(text: str) -> list[str]:
    """Return the lines with their ends."""
    return StringIO(text, newline="\n").readlines()


def unified(before: str, after: str, *, old: str, new: str) -> list[str] | None:
    """Return the diff's lines with their ends, none for the same text; None where too much differs to be compared.

    old, new: what stands in the head of the diff.
    """
    if before == after:
        return []
    matcher = _Whole(lines_of(before), lines_of(after))
    if matcher.too_much:
        return None
    hunks = (_hunk(hunk, matcher.old, matcher.new) for hunk in matcher.get_grouped_opcodes(AROUND))
    return [f"--- {old}\n", f"+++ {new}\n", *(_ended(line) for hunk in hunks for line in hunk)]


class _Whole(SequenceMatcher[str]):
    """Compares what two lists of lines do not begin or end with alike, and tells of the whole of them."""

    def __init__(self, old: list[str], new: list[str]) -> None:
        self.old, self.new = old, new
        self._begin = _alike(old, new)
        to = self._begin - 1 if self._begin else None
        self._end = _alike(old[:to:-1], new[:to:-1])
        left, right = (lines[self._begin : len(lines) - self._end] for lines in (old, new))
        self.too_much = bool(left and right) and max(len(left), len(right)) > MOST_LINES
        super().__init__(None, left, right)

    def get_opcodes(self) -> list[Part]:
        by, old, new = self._begin, len(self.old), len(self.new)
        found = [(tag, i1 + by, i2 + by, j1 + by, j2 + by) for tag, i1, i2, j1, j2 in super().get_opcodes()]
        return [("equal", 0, by, 0, by), *found, ("equal", old - self._end, old, new - self._end, new)]


def _hunk(hunk: Sequence[tuple[str, int, int, int, int]], a: Sequence[str], b: Sequence[str]) -> Iterator[str]:
    yield f"@@ -{_place(hunk[0][1], hunk[-1][2])} +{_place(hunk[0][3], hunk[-1][4])} @@\n"
    for tag, a_begin, a_end, b_begin, b_end in hunk:
        if tag == "equal":
            yield from (f" {line}" for line in a[a_begin:a_end])
            continue
        yield from (f"-{line}" for line in a[a_begin:a_end])
        yield from (f"+{line}" for line in b[b_begin:b_end])


def _place(begin: int, end: int) -> str:
    count = end - begin
    return f"{begin + 1}" if count == 1 else f"{begin + 1 if count else begin},{count}"


def _alike(some: Sequence[str], others: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))


def _ended(line: str) -> str:
    """Return a line, and after one without an end what git says of it."""
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
