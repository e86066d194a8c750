"""Which bytes a Range header asks for."""

from __future__ import annotations

import pytest

from backend.api.byte_ranges import MOST_RANGES, ByteRange, NotSatisfiable, wanted_ranges


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        ("bytes=0-9", [(0, 10)]),
        ("bytes=0-0", [(0, 1)]),
        ("bytes=90-", [(90, 100)]),
        ("bytes=-5", [(95, 100)]),
        ("bytes=-500", [(0, 100)]),
        ("bytes=50-5000", [(50, 100)]),
        ("BYTES = 1-2", [(1, 3)]),
        ("bytes=0-1, 4-5,-1", [(0, 2), (4, 6), (99, 100)]),
        ("bytes=8-9,0-1", [(8, 10), (0, 2)]),
        ("bytes=0-1,200-300", [(0, 2)]),
    ],
)
def test_ranges(header, ranges):
    assert wanted_ranges(header, size=100) == [ByteRange(*each) for each in ranges]


@pytest.mark.parametrize(
    "header",
    [
        *("", "bytes", "bytes=", "bytes=-", "bytes=a-b", "lines=0-9", "bytes=9-0", "bytes=0-9;", "bytes=0-9,,"),
        *("bytes=+1-2", "bytes=١-٢", "bytes=1-" + "9" * 30, "bytes=0x1-2", "bytes=--1"),
    ],
)
def test_what_is_malformed_is_ignored(header):
    assert wanted_ranges(header, size=100) is None


@pytest.mark.parametrize(
    "header",
    [
        "bytes=100-",
        "bytes=100-200",
        "bytes=-0",
        "bytes=0-10,10-20",
        "bytes=0-,0-",
        "bytes=" + ",".join(f"{2 * number}-{2 * number}" for number in range(MOST_RANGES + 1)),
    ],
)
def test_what_cannot_be_satisfied(header):
    with pytest.raises(NotSatisfiable):
        wanted_ranges(header, size=100)


def test_nothing_of_an_empty_file_can_be_asked_for():
    with pytest.raises(NotSatisfiable):
        wanted_ranges("bytes=0-", size=0)


def test_as_many_as_are_allowed():
    header = "bytes=" + ",".join(f"{2 * number}-{2 * number}" for number in range(MOST_RANGES))
    assert len(wanted_ranges(header, size=100) or ()) == MOST_RANGES


def test_content_range():
    assert ByteRange(5, 10).content_range(100) == "bytes 5-9/100"
