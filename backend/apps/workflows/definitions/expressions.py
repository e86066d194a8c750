"""Expressions: references into `inputs`, `steps`, `run` and, in a repeated step, `item`, and comparisons of them.

The text passes a small lexer first, which lets through names, literals, comparisons, `&&`, `||`, `!` and `in`, and
nothing that calls, computes or grows. References are then looked up here, one by one, and only the values they name
are handed to the expression language (CEL), so that its work is bounded by the expression and not by the data.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, cast

from backend.apps.workflows.errors import InvalidExpression

# `import cel` brings the package's own command line, a shell with its colours: 7 MB in each process.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
import cel  # noqa: E402  (after what keeps its command line away)

LONGEST = 1000
MOST_TOKENS = 200
DEEPEST = 20
ROOTS = ("inputs", "steps", "run")
ITEM_ROOTS = ("item", "item_index")
"""What can be read besides, in the config of a step with `each`; `check_definition` refuses them elsewhere."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<number>-?\d{1,18}(?:\.\d{1,18})?(?![\w.]))
    |(?P<string>"(?:[^"\\\n]|\\["\\nrt])*"|'(?:[^'\\\n]|\\['\\nrt])*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<operator>==|!=|<=|>=|&&|\|\||<|>|!(?!=))
    |(?P<mark>[.,()\[\]])""",
    re.VERBOSE,
)
_WORDS = {"true", "false", "null", "in"}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Token:
    """A piece of an expression; `column` counts from 1."""

    kind: str
    text: str
    column: int


@dataclass(frozen=True)
class Reference:
    """A path into the data: its root, then keys and list positions."""

    parts: tuple[str | int, ...]
    column: int

    def __str__(self) -> str:
        shown = str(self.parts[0])
        for part in self.parts[1:]:
            shown += f"[{part}]" if isinstance(part, int) else f".{part}"
        return shown


@dataclass(frozen=True)
class Expression:
    """A checked expression.

    source: CEL with each reference replaced by r0, r1, ...; None where the whole expression is one reference.
    """

    text: str
    references: tuple[Reference, ...]
    source: str | None

    def evaluate(self, data: Mapping[str, Any]) -> Any:  # noqa: ANN401  (JSON)
        """Return the value over `data` (a mapping of the roots).

        Raises InvalidExpression when a reference leads nowhere or the types cannot be compared.
        """
        values = [_look_up(reference, data, self.text) for reference in self.references]
        if self.source is None:
            return values[0]
        try:
            return _program(self.source).execute({f"r{index}": value for index, value in enumerate(values)})
        except (TypeError, ValueError, KeyError, IndexError, RuntimeError, OverflowError) as error:
            raise _refused(self.text, 1, "the values cannot be compared") from error


def parse(text: str) -> Expression:
    """Check the text of an expression (what stands between the braces).

    Raises InvalidExpression with the column of what is not allowed.
    """
    return _parse(text)


@lru_cache(maxsize=2048)
def _parse(text: str) -> Expression:
    if len(text) > LONGEST:
        raise InvalidExpression(f"The expression is longer than {LONGEST} characters.", column=LONGEST + 1)
    tokens = _tokens(text)
    if not tokens:
        raise _refused(text, 1, "it is empty")
    references, source = _references(tokens, text)
    if len(references) == 1 and source == "r0":
        return Expression(text, references, None)
    try:
        _program(source)
    except ValueError as error:
        raise _refused(text, 1, "it is not complete or not well formed") from error
    return Expression(text, references, source)


@lru_cache(maxsize=2048)
def _program(source: str) -> Any:  # noqa: ANN401  (the library is not typed)
    return cel.compile(source)


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    depth = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _refused(text, at + 1, f"{text[at]!r} is not allowed here")
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(Token(kind, match.group(), at + 1))
            depth += (match.group() in "([") - (match.group() in ")]") if kind == "mark" else 0
        if depth > DEEPEST or len(tokens) > MOST_TOKENS:
            raise _refused(text, at + 1, "it is too large")
        at = match.end()
    return tokens


def _references(tokens: list[Token], text: str) -> tuple[tuple[Reference, ...], str]:
    references: list[Reference] = []
    source: list[str] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind == "name" and token.text not in _WORDS:
            reference, at = _reference(tokens, at, text)
            if at < len(tokens) and tokens[at].text == "(":
                raise _refused(text, tokens[at].column, "calls are not allowed")
            source.append(f"r{len(references)}")
            references.append(reference)
            continue
        if token.text == "." or (token.text == "(" and at and tokens[at - 1].text in {"]", ")"}):
            raise _refused(text, token.column, f"{token.text!r} is not allowed here")
        if token.text == "[" and at and (tokens[at - 1].kind == "string" or tokens[at - 1].text in {"]", ")"}):
            raise _refused(text, token.column, "only a reference can be indexed")
        if token.kind in {"number", "string"} and at and _is_value(tokens[at - 1]):
            raise _refused(text, token.column, "a comparison was expected here")
        source.append(token.text)
        at += 1
    return tuple(references), " ".join(source)


def _is_value(token: Token) -> bool:
    return (
        token.kind in {"number", "string"} or token.text in {")", "]"} or (token.kind == "name" and token.text != "in")
    )


def _reference(tokens: list[Token], at: int, text: str) -> tuple[Reference, int]:
    first = tokens[at]
    if first.text not in ROOTS + ITEM_ROOTS:
        raise _refused(
            text, first.column, f"unknown reference {first.text!r}", expected="inputs, steps or run at the beginning"
        )
    parts: list[str | int] = [first.text]
    at += 1
    while at < len(tokens) and tokens[at].text in {".", "["}:
        key = tokens[at + 1] if at + 1 < len(tokens) else None
        if key is None:
            raise _refused(text, tokens[at].column, "the reference is not complete")
        if tokens[at].text == "." and key.kind == "name":
            parts.append(key.text)
            at += 2
        elif tokens[at].text == "[" and at + 2 < len(tokens) and tokens[at + 2].text == "]":
            parts.append(_literal_key(key, text))
            at += 3
        else:
            raise _refused(text, key.column, "a name, a text or a number was expected here")
    return Reference(tuple(parts), first.column), at


def _literal_key(token: Token, text: str) -> str | int:
    if token.kind == "string":
        return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), token.text[1:-1])
    if token.kind == "number" and token.text.isdigit():
        return int(token.text)
    raise _refused(text, token.column, "only a text or a whole number can stand in brackets")


def _look_up(reference: Reference, data: Mapping[str, Any], text: str) -> Any:  # noqa: ANN401  (JSON)
    value: Any = data
    for part in reference.parts:
        try:
            # A mapping by text, a list by number, and nothing else: no attribute is ever looked up.
            if not isinstance(value, Mapping if isinstance(part, str) else list):
                raise KeyError(part)
            value = cast("Any", value)[part]
        except (KeyError, IndexError):
            why = f"unknown reference {str(reference)!r}: there is no {part!r}"
            raise _refused(text, reference.column, why) from None
    return value


def _refused(text: str, column: int, why: str, **place: Any) -> InvalidExpression:  # noqa: ANN401
    shown = text if len(text) <= 80 else text[:77] + "..."
    return InvalidExpression(f"In the expression {shown!r}, column {column}: {why}.", column=column, **place)
