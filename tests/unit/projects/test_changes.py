"""What leads from one content to another."""

from __future__ import annotations

import pytest

from backend.apps.projects.errors import InvalidPath, QuotaExceeded
from backend.apps.projects.services.changes import changes_to, require_paths
from backend.apps.projects.services.content import Content, content_file
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.structure import Plan, parse_structure
from backend.errors import InvalidInput

BASE = Content(
    files=tuple(
        content_file(path, data, executable=path.startswith("bin/"))
        for path, data in [("a.txt", b"1"), ("bin/run", b"x"), ("src/deep/one.py", b"1"), ("src/two.py", b"2")]
    ),
    empty_directories=("logs", "src/empty"),
)
EVERYTHING = ["a.txt", "bin/run", "src/deep/one.py", "src/two.py"]


@pytest.mark.parametrize(
    ("structure", "keep", "remove", "written", "removed", "left", "empty"),
    [
        ({"a.txt": "1"}, True, [], [], [], EVERYTHING, ["logs", "src/empty"]),
        ({"a.txt": "2"}, True, [], ["a.txt"], [], EVERYTHING, ["logs", "src/empty"]),
        ({"bin": {"run": "x"}}, True, [], ["bin/run"], [], EVERYTHING, ["logs", "src/empty"]),
        ({"logs": {"x": ""}}, True, [], ["logs/x"], [], [*EVERYTHING, "logs/x"], ["src/empty"]),
        ({"a.txt": "1"}, False, [], [], EVERYTHING[1:], ["a.txt"], []),
        ({"a.txt": {"b": "1"}}, False, [], ["a.txt/b"], EVERYTHING, ["a.txt/b"], []),
        ({}, True, ["src"], [], EVERYTHING[2:], EVERYTHING[:2], ["logs"]),
        ({}, True, ["logs", "src/two.py", "gone"], [], ["src/two.py"], EVERYTHING[:3], ["src/empty"]),
        ({"src": {"two.py": "3"}}, True, ["src/deep"], ["src/two.py"], ["src/deep/one.py"], None, None),
        ({"p": {"q": []}}, True, [], [], [], EVERYTHING, ["logs", "p/q", "src/empty"]),
    ],
)
def test_changes(structure, keep, remove, written, removed, left, empty):
    changes = changes_to(base=BASE, plan=parse_structure(structure), keep=keep, remove=remove)
    assert [file.path for file in changes.files] == written
    assert sorted(changes.removed) == sorted(removed)
    if left is not None:
        assert [file.path for file in changes.content.files] == sorted(left)
        assert list(changes.content.empty_directories) == empty


def test_what_has_not_changed_keeps_its_record():
    changes = changes_to(base=BASE, plan=parse_structure({"a.txt": "1", "b.txt": "2"}), keep=True)
    assert changes.content.files[0] is BASE.files[0]
    assert changes.content.size == BASE.size + 1


@pytest.mark.parametrize(
    ("structure", "remove", "error", "match"),
    [
        ({"A.TXT": "1"}, [], InvalidPath, "A.TXT"),
        ({"a.txt": {"b": "1"}}, [], InvalidPath, "a.txt"),
        ({"src": "1"}, [], InvalidPath, "src"),
        ({"src": {"new.py": ""}}, ["src"], InvalidInput, "removed by the same step"),
        ({}, ["a.txt", "bin", "src"], InvalidInput, "no file left"),
    ],
)
def test_the_whole_is_validated_together(structure, remove, error, match):
    with pytest.raises(error, match=match):
        changes_to(base=BASE, plan=parse_structure(structure), keep=True, remove=remove)


@pytest.mark.parametrize("limits", [Limits(files=4), Limits(total_bytes=4), Limits(directories=4)])
def test_quotas_count_what_stays_as_well(limits):
    with pytest.raises(QuotaExceeded):
        changes_to(base=BASE, plan=parse_structure({"new": {"b.txt": "2"}}), keep=True, limits=limits)
    assert changes_to(base=BASE, plan=Plan(), keep=True, remove=["src"], limits=limits).content.files


@pytest.mark.parametrize("value", ["a.txt", {"a": 1}, 3])
def test_remove_is_a_list(value):
    with pytest.raises(InvalidInput):
        require_paths(value)


@pytest.mark.parametrize("path", ["../x", "/etc", ".git/config", ""])
def test_paths_to_remove_are_validated(path):
    with pytest.raises(InvalidPath):
        require_paths([path])
    assert require_paths(None) == []
