"""What each form of a structure definition means, and that nothing else means anything."""

from __future__ import annotations

import pytest

from backend.apps.projects.errors import InvalidPath, QuotaExceeded
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.structure import Plan, parse_structure, to_bytes
from backend.apps.projects.services.workspace import NewFile
from backend.errors import InvalidInput


@pytest.mark.parametrize(
    ("structure", "files", "directories"),
    [
        ({}, [], []),
        ({"a.txt": "x\r\n"}, [NewFile("a.txt", b"x\r\n")], []),
        ({"src": {"pkg": {"m.py": ""}}}, [NewFile("src/pkg/m.py", b"")], ["src", "src/pkg"]),
        ({"src/pkg/m.py": "1"}, [NewFile("src/pkg/m.py", b"1")], []),
        ({"src": {"a/b": "1"}, "src/c": "2"}, [NewFile("src/a/b", b"1"), NewFile("src/c", b"2")], ["src"]),
        ({"logs": []}, [], ["logs"]),
        ({"logs": {}}, [], ["logs"]),
        ({"pkg": ["a.py", "py.typed"]}, [NewFile("pkg/a.py", b""), NewFile("pkg/py.typed", b"")], ["pkg"]),
        ({"run": {"content": "x", "executable": True}}, [NewFile("run", b"x", True)], []),
        ({"x": {"content": "AP8=", "encoding": "base64"}}, [NewFile("x", b"\x00\xff")], []),
        ({"x": {"content": "\u00e9", "encoding": "latin-1"}}, [NewFile("x", b"\xe9")], []),
        ({"x": {"content": "\u00e9"}}, [NewFile("x", b"\xc3\xa9")], []),
        ({"d": {"content": {"x": "1"}}}, [NewFile("d/content/x", b"1")], ["d", "d/content"]),
        ({"d": {"content": "1", "other": "2"}}, [NewFile("d/content", b"1"), NewFile("d/other", b"2")], ["d"]),
        ({"d": {"executable": "x"}}, [NewFile("d/executable", b"x")], ["d"]),
        ({"d/symlink": "x"}, [NewFile("d/symlink", b"x")], []),
        ({"x": "a\x00b"}, [NewFile("x", b"a\x00b")], []),
        ({"%2e%2e": "{{ x }}"}, [NewFile("%2e%2e", b"{{ x }}")], []),
    ],
)  # fmt: skip
def test_forms(structure, files, directories):
    assert parse_structure(structure) == Plan(tuple(files), tuple(directories))


@pytest.mark.parametrize(
    ("structure", "place", "word"),
    [
        ({"a": 1}, "a", "int"),
        ({"a": None}, "a", "null"),
        ({"a": {"b": True}}, "a/b", "bool"),
        ({"a": {"b": 1.5}}, "a/b", "float"),
        ({"a": ["x", 1]}, "a", "list"),
        ({"a": [["x"]]}, "a", "list"),
        ({"a": {3: "x"}}, "a", "int"),
        ({"a": {"content": "x", "executable": "yes"}}, "a", "executable"),
        ({"a": {"content": "x", "encoding": "no-such"}}, "a", "no-such"),
        ({"a": {"content": "x", "encoding": "rot13"}}, "a", "rot13"),
        ({"a": {"content": "x", "encoding": "punycode"}}, "a", "punycode"),
        ({"a": {"content": "x", "encoding": "hex"}}, "a", "hex"),
        ({"a": {"content": "x", "encoding": "a\x00b"}}, "a", "encoding"),
        ({"a": {"content": "x", "encoding": 8}}, "a", "encoding"),
        ({"a": {"content": "x", "encoding": "\ud800"}}, "a", "no text encoding"),
        ({"a": {"content": "\u00e9", "encoding": "ascii"}}, "a", "ascii"),
        ({"a": {"content": "!!", "encoding": "base64"}}, "a", "base64"),
        ({"a": {"content": "\u00e9", "encoding": "base64"}}, "a", "base64"),
        ({"a": "\ud800"}, "a", "utf-8"),
        ({"a": {"symlink": "/etc/passwd"}}, "a", "cannot be used"),
    ],
)
def test_nothing_else_has_a_meaning(structure, place, word):
    with pytest.raises(InvalidInput, match=word) as refused:
        parse_structure(structure)
    assert refused.value.place["path"] == place


@pytest.mark.parametrize("structure", [[], "x", None, 3])
def test_a_structure_is_an_object(structure):
    with pytest.raises(InvalidInput) as refused:
        parse_structure(structure)
    assert refused.value.place["field"] == "structure"
    assert refused.value.hint


@pytest.mark.parametrize(
    "structure",
    [
        {"a": {"b": "1"}, "a/b": "2"},
        {"a": "1", "a/b": "2"},
        {"a": {}, "A": "1"},
        {"a": {"": "1"}},
        {"": "1"},
        {"a": {"/b": "1"}},
        {"a/": {"b": "1"}},
        {"a": ["../b"]},
        {"a": [""]},
        {"d": {"symlink": "/outside"}, "d/pwn": "x"},
    ],
)
def test_names_are_validated_together(structure):
    with pytest.raises(InvalidPath):
        parse_structure(structure)


def test_a_structure_of_any_depth_is_refused_without_recursion():
    structure: dict[str, object] = {}
    for _ in range(100_000):
        structure = {"d": structure}
    with pytest.raises(QuotaExceeded) as refused:
        parse_structure(structure)
    assert refused.value.place["limit"] == "depth"
    while structure:
        structure = structure.pop("d")  # type: ignore[assignment]  # freed without recursion


@pytest.mark.parametrize(
    ("limits", "structure", "limit"),
    [
        (Limits(file_bytes=2), {"a": "\u00e9\u00e9"}, "file_bytes"),
        (Limits(total_bytes=3), {"a": "12", "b": "12"}, "total_bytes"),
        (Limits(files=1), {"d": ["a", "b"]}, "files"),
        (Limits(directories=1), {"a": [], "b": []}, "directories"),
        (Limits(depth=1), {"a": {"b": {"c": "x"}}}, "depth"),
    ],
)
def test_quotas(limits, structure, limit):
    with pytest.raises(QuotaExceeded) as refused:
        parse_structure(structure, limits=limits)
    assert refused.value.place["limit"] == limit
    assert refused.value.hint


def test_content_is_text():
    with pytest.raises(InvalidInput, match="bytes"):
        to_bytes(b"x", encoding="utf-8", path="a")  # type: ignore[arg-type]
