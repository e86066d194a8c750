"""Git's pack format as far as we write and read it, without any pack."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.apps.projects.services.git_objects import TreeFile
from backend.apps.projects.services.pack_format import (
    BLOB,
    COMMIT,
    DIRECTORY,
    EXECUTABLE,
    PLAIN,
    TREE,
    object_head,
    parsed_head,
    parsed_index,
    parsed_sums,
    sums,
    tree_entries,
)
from tests.commits import trees_of


@given(st.lists(st.integers(0, 2**32 - 1), max_size=5))
def test_sums_are_read_as_they_were_written(found):
    data = sums(found, label=b"x")
    assert parsed_sums(data, count=len(found)) == tuple(found)
    for wrong in (b"", data[1:], data + b"1", data[:-1]):
        with pytest.raises(ValueError):
            parsed_sums(wrong, count=len(found))


@pytest.mark.parametrize("size", [0, 1, 15, 16, 2047, 2048, 2**20, 2**31, 2**40])
@pytest.mark.parametrize("kind", [COMMIT, TREE, BLOB])
def test_heads(kind, size):
    head = object_head(kind, size)
    assert parsed_head(b"xx" + head + b"yy", 2) == (kind, size, 2 + len(head))


def test_directories_are_sorted_as_git_does():
    files = [TreeFile(b"\1" * 20, PLAIN, path) for path in ("a.b", "a/x", "a0")]
    trees = trees_of([*files, TreeFile(b"\2" * 20, EXECUTABLE, "z")])
    assert [(mode, name) for mode, name, _ in tree_entries(trees[-1][1])] == [
        (PLAIN, b"a.b"),
        (DIRECTORY, b"a"),
        (PLAIN, b"a0"),
        (EXECUTABLE, b"z"),
    ]


def test_an_index_of_a_pack_that_is_too_large_is_refused():
    begins = (1 << 31).to_bytes(4, "big")
    index = b"\377tOc\0\0\0\2" + bytes(4 * 255) + (1).to_bytes(4, "big") + bytes(20) + bytes(4) + begins
    with pytest.raises(ValueError, match="too large"):
        parsed_index(index)
