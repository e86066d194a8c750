"""Reads the text of a definition, YAML or JSON, into plain JSON data that remembers its lines.

Anchors, aliases, tags and merge keys are refused: they say nothing a workflow needs, and a few hundred bytes of them
can keep a parser busy for hours. `yes`, `on` and dates stay the strings that were written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path as FilePath
from typing import Any

import yaml

from backend import strict_json
from backend.apps.workflows.errors import InvalidDefinition

LARGEST_SOURCE = 8 * 1024 * 1024
DEEPEST = 50
MOST_NODES = 100_000
TOO_LARGE = f"The definition is larger than {LARGEST_SOURCE // 1024 // 1024} MiB."
ELSEWHERE = "Pass large content as an input: --input structure=@file.json"

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Source:
    """A definition's data and, where it was a text, the line (from 1) at which each part of it stands.

    text: what JSON was read from. Its lines are found only when one is asked for, which is when something is wrong.
    """

    data: Any
    lines: dict[Path, int] = field(default_factory=dict)
    text: str | None = None

    def line(self, path: Path) -> int | None:
        """Return the line of the part at `path`, or of the nearest part around it."""
        lines = self._known_lines
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path)

    @cached_property
    def _known_lines(self) -> dict[Path, int]:
        return self.lines if self.text is None else strict_json.lines(self.text)


def read_source(text: str, *, is_json: bool = False) -> Source:
    """Read a definition.

    Raises InvalidDefinition with the line for anything that is not plain YAML or JSON of a sensible size.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_SOURCE:
        raise InvalidDefinition(TOO_LARGE, hint=ELSEWHERE)
    return _read_json(text) if is_json else _read_yaml(text)


def read_source_file(path: FilePath) -> Source:
    """Read a definition's file; a name that ends in `.json` is read as JSON.

    Raises InvalidDefinition, also where the file cannot be read or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            # One byte more than may be: what has no end, like a device, is not read to its end.
            data = file.read(LARGEST_SOURCE + 1)
    except OSError as error:
        raise InvalidDefinition(f"The definition {path} cannot be read: {error.strerror}.", path=str(path)) from error
    if len(data) > LARGEST_SOURCE:
        raise InvalidDefinition(TOO_LARGE, path=str(path), hint=ELSEWHERE)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidDefinition(
            f"The definition {path} cannot be read: it is not UTF-8.", path=str(path), line=line
        ) from error
    return read_source(text, is_json=path.suffix.lower() == ".json")


class PlainLoader(yaml.CSafeLoader):
    """YAML whose scalars are JSON's: null, true, false, numbers and strings."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


PlainLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
PlainLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
PlainLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"),
    list("-0123456789"),
)


def _read_yaml(text: str) -> Source:
    try:
        _refuse_cleverness(yaml.parse(text, Loader=PlainLoader))
        node = yaml.compose(text, Loader=PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InvalidDefinition(
            f"The definition is not valid YAML: {error.problem or error.context}.",
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
        ) from error
    except yaml.YAMLError as error:
        raise InvalidDefinition(f"The definition is not valid YAML: {str(error).splitlines()[0]}.") from error
    if node is None:
        raise InvalidDefinition("The definition is empty.", expected="a mapping with name and steps")
    lines: dict[Path, int] = {}
    return Source(_build(node, (), lines), lines)


def _refuse_cleverness(events: Iterator[Any]) -> None:
    depth = 0
    for count, event in enumerate(events):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise InvalidDefinition("Anchors and aliases are not allowed.", line=line, expected="plain YAML")
        if getattr(event, "tag", None) is not None:
            raise InvalidDefinition(f"The tag {event.tag} is not allowed.", line=line, expected="plain YAML")
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and not event.style:
            raise InvalidDefinition("Merge keys are not allowed.", line=line, expected="plain YAML")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise InvalidDefinition(f"The definition is nested deeper than {DEEPEST} levels.", line=line)
        if count > MOST_NODES:
            raise InvalidDefinition(f"The definition has more than {MOST_NODES} parts.", line=line)


def _build(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:  # noqa: ANN401  (JSON)
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, index), lines) for index, item in enumerate(node.value)]
    kind = node.tag.rsplit(":", 1)[-1]
    if kind == "null":
        return None
    if kind == "bool":
        return node.value == "true"
    if kind in {"int", "float"}:
        return _number(node.value, kind, lines[path])
    return node.value


def _build_mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise InvalidDefinition("A key must be a string.", line=line, expected="a string")
        key = str(key_node.value)
        if key in built:
            raise InvalidDefinition(f"The key {key!r} stands here twice.", line=line, expected="each key once")
        built[key] = _build(value_node, (*path, key), lines)
        lines[*path, key] = line
    return built


def _number(text: str, kind: str, line: int) -> int | float:
    if len(text) > 30:
        raise InvalidDefinition("The number has too many digits.", line=line, expected="at most 30 characters")
    number = int(text) if kind == "int" else float(text)
    if isinstance(number, int) and not -(2**63) <= number < 2**63:
        raise InvalidDefinition("The number does not fit into 64 bits.", line=line)
    if number in (float("inf"), float("-inf")):
        raise InvalidDefinition("The number is too large.", line=line)
    return number


def _read_json(text: str) -> Source:
    try:
        data = strict_json.read_json(text, deepest=DEEPEST)
    except strict_json.NotJSON as error:
        raise InvalidDefinition(
            f"The definition is not valid JSON: {error.reason}.", line=error.line, column=error.column
        ) from error
    if sum(1 for _ in islice(_parts(data), MOST_NODES + 1)) > MOST_NODES:
        raise InvalidDefinition(f"The definition has more than {MOST_NODES} parts.")
    return Source(data, text=text)


def _parts(value: Any) -> Iterator[None]:  # noqa: ANN401  (JSON)
    yield None
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _parts(item)
