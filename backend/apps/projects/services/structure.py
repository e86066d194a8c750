"""What a structure definition means: the files and directories that it asks for, with their bytes.

    {"src": {"main.py": "print(1)\\n"}}                       a dict is a directory, a text is a file
    {"logs": [], "pkg": ["__init__.py", "py.typed"]}          a list is a directory of empty files
    {"bin/run": {"content": "...", "executable": true}}       a file with attributes; keys may hold slashes
    {"logo.png": {"content": "iVBO...", "encoding": "base64"}}

A dict is a file when its `content` is text and it has no other keys than `encoding` and `executable`. A directory that
holds one file called `content` is written with a slash: {"dir/content": "..."}. Nothing else has a meaning: no number
is turned into text, and no link can be expressed. This module writes nothing.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.paths import invalid_path, validate_tree
from backend.apps.projects.services.workspace import NewFile
from backend.errors import InvalidInput

# Known to Python, and of no use in a file: some take quadratic time, some depend on the machine.
_UNUSABLE_ENCODINGS = frozenset(["idna", "punycode", "undefined", "mbcs", "oem"])
_FORMS = 'text, {"content": text, "encoding": ..., "executable": ...}, a directory, or a list of names of empty files'


@dataclass(frozen=True)
class Plan:
    """What is to be written: files, and directories that may stay empty. Both are validated against each other."""

    files: tuple[NewFile, ...] = ()
    directories: tuple[str, ...] = ()


def parse_structure(structure: Mapping[str, Any], *, limits: Limits | None = None) -> Plan:
    """Return the plan of a structure definition.

    Raises InvalidInput or InvalidPath that name the place, QuotaExceeded.
    """
    return make_plan(read_structure(structure, limits=limits or Limits()), limits=limits)


def make_plan(items: Iterable[NewFile | str], *, limits: Limits | None = None) -> Plan:
    """Collect files and directories (as their paths), and validate all names and sizes together.

    Raises InvalidPath, also for a path that two files claim, and QuotaExceeded.
    """
    limits = limits or Limits()
    files: list[NewFile] = []
    directories: list[str] = []
    total = 0
    for item in items:
        if isinstance(item, str):
            directories.append(item)
            continue
        files.append(item)
        total += len(item.data)
        limits.require("file_bytes", len(item.data), path=item.path)
        limits.require("total_bytes", total)
        limits.require("files", len(files))
    validate_tree(files=(file.path for file in files), directories=directories, limits=limits)
    return Plan(tuple(files), tuple(directories))


def read_structure(structure: Mapping[str, Any], *, limits: Limits) -> Iterator[NewFile | str]:
    """Yield the files of a structure definition, and its directories as paths; names are not validated yet."""
    if not isinstance(structure, Mapping):
        raise _meaningless("", structure)
    yield from _read_directory("", structure, limits)


def to_bytes(content: str, *, encoding: str, path: str) -> bytes:
    """Return a file's bytes: `content` exactly, without any translation of line ends.

    encoding: a text encoding that Python knows, or base64 for content that is no text.
    Raises InvalidInput when the content is no text, or cannot be written so.
    """
    if not isinstance(content, str):
        raise _unwritable(path, f"Its content is {_kind(content)}, not text.", field="content")
    if encoding == "base64":
        try:
            return base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _unwritable(path, "Its content is not base64.", field="content") from error
    try:
        if not isinstance(encoding, str) or not encoding.isascii():
            raise LookupError
        if codecs.lookup(encoding).name in _UNUSABLE_ENCODINGS:
            raise LookupError
        return content.encode(encoding)
    except UnicodeError as error:
        raise _unwritable(path, f"Its content cannot be written as {encoding}: {error}.", field="content") from error
    except (LookupError, ValueError) as error:
        raise _unwritable(path, f"There is no text encoding {encoding!r:.60}.", field="encoding") from error


def _read_directory(path: str, items: Mapping[str, Any], limits: Limits) -> Iterator[NewFile | str]:
    if path.count("/") > limits.depth:
        limits.require_depth(path, is_directory=True)
    for name, value in items.items():
        if not isinstance(name, str):
            raise _unwritable(path, f"A name in it is {_kind(name)}, not text.")
        yield from _read_item(_join(path, name), value, limits)


def _read_item(path: str, value: Any, limits: Limits) -> Iterator[NewFile | str]:  # noqa: ANN401  (what users wrote)
    if isinstance(value, str):
        yield NewFile(path, to_bytes(value, encoding="utf-8", path=path))
    elif isinstance(value, list):
        yield path
        for name in value:
            if not isinstance(name, str):
                raise _meaningless(path, value)
            yield NewFile(_join(path, name), b"")
    elif not isinstance(value, Mapping):
        raise _meaningless(path, value)
    elif isinstance(value.get("content"), str) and value.keys() <= {"content", "encoding", "executable"}:
        yield _read_file(path, value)
    elif value.keys() == {"symlink"} and isinstance(value["symlink"], str):
        raise invalid_path(path, "link")
    else:
        yield path
        yield from _read_directory(path, value, limits)


def _read_file(path: str, item: Mapping[str, Any]) -> NewFile:
    executable = item.get("executable", False)
    if not isinstance(executable, bool):
        raise _unwritable(path, f"Its 'executable' is {_kind(executable)}, not true or false.", field="executable")
    return NewFile(path, to_bytes(item["content"], encoding=item.get("encoding", "utf-8"), path=path), executable)


def _join(directory: str, name: str) -> str:
    # An empty name below a directory has to be seen by the validator as such.
    return f"{directory}/{name}" if directory else name


def _kind(value: object) -> str:
    return "null" if value is None else f"of type {type(value).__name__}"


def _meaningless(path: str, value: object) -> InvalidInput:
    return _unwritable(path, f"It is {_kind(value)}, which has no meaning in a structure.", expected=_FORMS)


def _unwritable(path: str, why: str, *, field: str = "structure", expected: str | None = None) -> InvalidInput:
    return InvalidInput(
        f"{path!r:.200} cannot be generated. {why}" if path else f"The structure cannot be generated. {why}",
        hint=f"Write it as {_FORMS}." if expected else None,
        field=field,
        path=path or None,
        expected=expected,
    )
