"""A tree with changes: whatever they are, it is the tree that all its files together would make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.apps.projects.services.changed_tree import ChangedTree
from backend.apps.projects.services.changes import changes_to
from backend.apps.projects.services.content import Content, content_file
from backend.apps.projects.services.git_objects import TreeFile
from backend.apps.projects.services.pack_format import BLOB, EXECUTABLE, PLAIN, identifier
from backend.apps.projects.services.structure import Plan
from backend.apps.projects.services.workspace import NewFile
from tests.commits import trees_of

Files = dict[str, tuple[bytes, bool]]

BASE: Files = {
    "README.md": (b"# hi", False),
    "a.b/first": (b"1", False),
    "a/deep/er/x": (b"x", False),
    "a/deep/y": (b"y", False),
    "a/run": (b"#!", True),
    "b/only": (b"o", False),
}


def apart(files: Files) -> Files:
    """Leave out what lies below a file."""
    return {
        path: value
        for path, value in files.items()
        if not any(path != other and path.startswith(f"{other}/") for other in files)
    }


def entry(data: bytes, executable: bool) -> tuple[int, bytes]:
    return EXECUTABLE if executable else PLAIN, identifier(BLOB, data)


def whole(files: Mapping[str, tuple[bytes, bool]]) -> list[tuple[bytes, bytes]]:
    return trees_of([TreeFile(entry(*files[path])[1], entry(*files[path])[0], path) for path in sorted(files)])


def content(files: Mapping[str, tuple[bytes, bool]]) -> Content:
    return Content(tuple(content_file(path, data, executable=x) for path, (data, x) in sorted(files.items())), ())


class Store:
    """Trees by their ids, and which of them were read."""

    def __init__(self, files: Files) -> None:
        trees = whole(files)
        self.root = trees[-1][0]
        self.trees = dict(trees)
        self.read: list[bytes] = []

    def __call__(self, ids: Sequence[bytes]) -> Iterator[bytes]:
        self.read += ids
        return (self.trees[name] for name in ids)


def changed(store: Store, before: Files, after: Files) -> ChangedTree:
    plan = Plan(files=tuple(NewFile(path, data, x) for path, (data, x) in sorted(after.items())))
    changes = changes_to(base=content(before), plan=plan, keep=False)
    files = {new.path: entry(new.data, new.executable) for new in changes.files}
    return ChangedTree(store.root, files=files, removed=changes.removed, read=store)


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(BASE, id="nothing"),
        pytest.param(BASE | {"README.md": (b"# new", False)}, id="a file at the top"),
        pytest.param(BASE | {"a/deep/er/x": (b"z", False)}, id="a deep file"),
        pytest.param(BASE | {"a/run": (b"#!", False)}, id="a mode"),
        pytest.param(BASE | {"new/and/deep": (b"n", False)}, id="new directories"),
        pytest.param({k: v for k, v in BASE.items() if k != "b/only"}, id="a directory that empties"),
        pytest.param({k: v for k, v in BASE.items() if k != "a/deep/er/x"}, id="a deep one that empties"),
        pytest.param({"b": (b"now", False)}, id="all gone, and a file for a directory"),
        pytest.param({k: v for k, v in BASE.items() if k != "a/run"} | {"a/run/x": (b"", True)}, id="the reverse"),
    ],
)
def test_it_is_the_tree_of_all_files(after):
    tree = changed(Store(BASE), BASE, after)
    assert tree.trees[-1] == whole(after)[-1]
    assert tree.holds(content(after).files)


NAMES = st.sampled_from(["a", "b", "a.b", "a-", "\u00fc"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(PATHS, st.tuples(st.sampled_from([b"", b"1", b"2"]), st.booleans()), min_size=1).map(apart)


@given(before=TREES, after=TREES)
def test_it_is_the_tree_of_all_files_whatever_they_are(before, after):
    store = Store(before)
    tree = changed(store, before, after)
    assert tree.trees[-1] == whole(after)[-1]
    assert tree.holds(content(after).files)
    # Together with what was there, everything that the new tree needs has been made.
    assert {name for name, _ in whole(after)} <= {name for name, _ in tree.trees} | store.trees.keys()
    assert tree.known <= store.trees.keys() | {entry(*value)[1] for value in before.values()}


def test_only_what_leads_to_a_change_is_read():
    store = Store(BASE)
    changed(store, BASE, BASE | {"a/run": (b"other", True)})
    (directory,) = (name for name, data in whole(BASE) if b"run\0" in data)
    assert store.read == [store.root, directory]


@pytest.mark.parametrize(
    "recorded",
    [
        pytest.param({k: v for k, v in BASE.items() if k != "README.md"}, id="one file less"),
        pytest.param(BASE | {"README.txt": (b"", False)}, id="one more"),
        pytest.param(BASE | {"a/run": (b"#!", False)}, id="another mode"),
        pytest.param({k: v for k, v in BASE.items() if k != "b/only"}, id="a directory less"),
        pytest.param(BASE | {"c/x": (b"", False)}, id="a directory more"),
        pytest.param(apart(BASE | {"a/deep": (b"", False)}), id="a file for a directory"),
    ],
)
def test_what_does_not_agree_with_what_was_recorded_is_found_out(recorded):
    tree = ChangedTree(Store(BASE).root, files={"a/run": entry(b"#!", True)}, removed=(), read=Store(BASE))
    assert tree.holds(content(BASE).files)
    assert not tree.holds(content(recorded).files)
