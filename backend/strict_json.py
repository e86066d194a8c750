"""The one reader of JSON that comes from outside: request bodies, definitions, inputs.

It refuses what databases or later readers could not hold alike: a byte order mark, other encodings than UTF-8, a name
given twice in one object, NaN and Infinity, numbers beyond 64 bits or beyond a float, deep nesting, NUL characters
and halves of surrogate pairs. It says at which line and column. The callers turn that into errors of their own.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from backend.errors import LONGEST_NUMBER

DEEPEST = 100
"""How deep arrays and objects may be nested, unless a caller says less."""
NO_NUL = 'For a binary file write {"content": "...", "encoding": "base64"}.'

Path = tuple[str | int, ...]


class NotJSON(ValueError):
    """The text is not JSON that can be kept.

    reason: what is wrong, without a full stop. line, column: where, from 1. Never shown as it is: see the module.
    """

    def __init__(self, reason: str, *, line: int | None = None, column: int | None = None) -> None:
        self.reason = reason
        self.line = line
        self.column = column
        super().__init__(reason)

    def __str__(self) -> str:
        return self.reason if self.line is None else f"{self.reason} (line {self.line}, column {self.column})"


@dataclass(frozen=True)
class Unfit:
    """A part of a value that cannot be kept: where it is, what is wrong (without a full stop), and what to do."""

    path: Path
    reason: str
    expected: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Part:
    """A part of a JSON text: its path, where it begins (for a member: its name), and whether its name came before."""

    path: Path
    offset: int
    twice: bool


def read_json(text: str | bytes, *, deepest: int = DEEPEST) -> Any:  # noqa: ANN401  (JSON)
    """Return the value of a JSON text. Raises NotJSON with the place."""
    decoded = _decoded(text) if isinstance(text, bytes) else text
    if decoded.startswith("\ufeff"):
        raise NotJSON("it begins with a byte order mark; save it as UTF-8 without one", line=1, column=1)
    try:
        value = json.loads(
            decoded, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float
        )
    except json.JSONDecodeError as error:
        raise NotJSON(error.msg, line=error.lineno, column=error.colno) from error
    except RecursionError as error:
        raise _at(decoded, _first_deeper(decoded, deepest), _too_deep(deepest)) from error
    except _Twice as error:
        offset = next(part.offset for part in parts(decoded) if part.twice)
        raise _at(decoded, offset, f"the name {error.args[0][:100]!r} is given twice") from error
    except ValueError as error:
        raise _at(decoded, _number_offset(decoded), str(error)) from error
    if wrong := unfit(value, deepest=deepest):
        raise _at(decoded, next(part.offset for part in parts(decoded) if part.path == wrong.path), wrong.reason)
    return value


def unfit(value: Any, *, deepest: int = DEEPEST, depth: int = 0) -> Unfit | None:  # noqa: ANN401  (found out here)
    """Return the first part of `value` that is not plain JSON which every database can keep, or None."""
    if isinstance(value, str):
        return _unfit_text(value)
    if isinstance(value, dict | list):
        # A depth of 1 is `[]`; checked first, so that no recursion is deeper than this.
        if depth >= deepest:
            return Unfit((), _too_deep(deepest))
        return _unfit_within(value, deepest, depth)
    if isinstance(value, float) and not math.isfinite(value):
        return Unfit((), "the number is not finite", "a JSON number")
    if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
        return Unfit((), "the number has too many digits", "a number of at most 4000 digits")
    if value is not None and not isinstance(value, bool | int | float):
        return Unfit((), f"a {type(value).__name__} is not JSON", "JSON")
    return None


def _unfit_within(value: dict[Any, Any] | list[Any], deepest: int, depth: int) -> Unfit | None:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(value, dict):
            if not isinstance(key, str):
                return Unfit((), "a key is not a string", "a string")
            if wrong := _unfit_text(key):
                return wrong
        if wrong := unfit(item, deepest=deepest, depth=depth + 1):
            return Unfit((key, *wrong.path), wrong.reason, wrong.expected, wrong.hint)
    return None


def _unfit_text(text: str) -> Unfit | None:
    if "\0" in text:
        return Unfit((), "a text holds a NUL character, which cannot be stored", hint=NO_NUL)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return Unfit((), "a text holds half of a surrogate pair, which cannot be stored", "Unicode")
    return None


# A string is closed, or it could not have been read before.
_TOKEN = re.compile(r'(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<mark>[\[\]{}:,])|(?P<scalar>[^\s\[\]{}:,"]+)', re.DOTALL)


def parts(text: str) -> Iterator[Part]:
    """Yield every part of a JSON text, in order. It is slow and bounded by nothing but the text: for errors only."""
    # What stands around: the path, the names so far (of an object) or the number of items so far (of an array).
    around: list[tuple[Path, set[str] | None]] = []
    counts: list[int] = []
    name: tuple[str, int, bool] | None = None
    for token in _TOKEN.finditer(text):
        mark, offset = token.group(), token.start()
        if mark in "]}":
            around.pop()
            counts.pop()
        if mark in ",:]}":
            continue
        path, names = around[-1] if around else ((), None)
        if around and names is not None and name is None:
            key = json.loads(mark)
            name = (key, offset, key in names)
            names.add(key)
            continue
        twice = False
        if name is not None:
            path, offset, twice, name = (*path, name[0]), name[1], name[2], None
        elif around:
            path, counts[-1] = (*path, counts[-1]), counts[-1] + 1
        yield Part(path, offset, twice)
        if mark in "[{":
            around.append((path, set() if mark == "{" else None))
            counts.append(0)


def lines(text: str) -> dict[Path, int]:
    """Return the line, from 1, at which each part of a JSON text begins; a member's is that of its name."""
    found: dict[Path, int] = {}
    line, at = 1, 0
    for part in parts(text):
        line, at = line + text.count("\n", at, part.offset), part.offset
        found.setdefault(part.path, line)
    return found


class _Twice(ValueError):
    pass


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = error.start - before.rfind(b"\n")
        raise NotJSON("it is not UTF-8", line=before.count(b"\n") + 1, column=column) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise _Twice(next(name for name, _ in pairs if counts[name] > 1))
    return value


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int:
    # Nineteen digits and a sign: int() would take minutes for what a body can hold.
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise ValueError("the number does not fit into 64 bits")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("the number is too large")
    return number


_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?P<rest>(?:\.\d+)?(?:[eE][-+]?\d+)?)$")


def _number_offset(text: str) -> int:
    """Return where the first number stands that is refused."""
    for token in _TOKEN.finditer(text):
        number = token.group()
        if token["scalar"] is None or number in {"true", "false", "null"}:
            continue
        match = _NUMBER.match(number)
        try:
            if match is None:
                return token.start()
            cast("Any", _float if match["rest"] else _integer)(number)
        except ValueError:
            return token.start()
    return 0


def _first_deeper(text: str, deepest: int) -> int:
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token.group() in "[{") - (token.group() in "]}")
        if depth > deepest:
            return token.start()
    return 0


def _too_deep(deepest: int) -> str:
    return f"it is nested deeper than {deepest} levels"


def _at(text: str, offset: int, reason: str) -> NotJSON:
    before = text.count("\n", 0, offset)
    return NotJSON(reason, line=before + 1, column=offset - text.rfind("\n", 0, offset))
