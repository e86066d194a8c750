"""Fills the expressions of a definition in. `$${{` stands for a literal `${{`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backend.apps.workflows.definitions.expressions import Expression, parse
from backend.apps.workflows.errors import InvalidExpression

OPENING = "${{"
CLOSING = "}}"
LARGEST_TEXT = 64 * 1024
"""Characters that one expression may put into a text; a whole value has no such limit."""

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Text:
    """A string cut into literal pieces and expressions."""

    parts: tuple[str | Expression, ...]

    @property
    def whole(self) -> Expression | None:
        """The expression, where the string is nothing else."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, Expression) else None


def cut(text: str) -> Text:
    """Cut a string at its expressions.

    Raises InvalidExpression for an opening without its end, and for what `parse` refuses.
    """
    parts: list[str | Expression] = []
    literal: list[str] = []
    at = 0
    while (start := text.find(OPENING, at)) >= 0:
        if start > at and text[start - 1] == "$":
            literal.append(text[at : start - 1] + OPENING)
            at = start + len(OPENING)
            continue
        end = _end(text, start + len(OPENING))
        literal.append(text[at:start])
        if before := "".join(literal):
            parts.append(before)
        literal = []
        parts.append(parse(text[start + len(OPENING) : end].strip()))
        at = end + len(CLOSING)
    literal.append(text[at:])
    if (rest := "".join(literal)) or not parts:
        parts.append(rest)
    return Text(tuple(parts))


def _end(text: str, at: int) -> int:
    quote = ""
    while at < len(text):
        character = text[at]
        if quote:
            if character == "\\":
                at += 1
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif text.startswith(CLOSING, at):
            return at
        at += 1
    raise InvalidExpression(
        f"An expression is opened with {OPENING} and not closed.",
        expected=CLOSING,
        hint=f"Write ${OPENING} for a literal {OPENING}.",
    )


def expressions(value: Any, path: Path = ()) -> Iterator[tuple[Path, Expression]]:  # noqa: ANN401  (JSON)
    """Yield every expression in `value` with the path of the string it stands in.

    Raises InvalidExpression, with that path as its `path`, for the first that is not valid.
    """
    if isinstance(value, str):
        if OPENING in value:
            try:
                found = cut(value)
            except InvalidExpression as error:
                error.place.setdefault("path", shown(path))
                raise
            yield from ((path, part) for part in found.parts if isinstance(part, Expression))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from expressions(key, (*path, key))
            yield from expressions(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from expressions(item, (*path, index))


def render(value: Any, data: Mapping[str, Any], path: Path = ()) -> Any:  # noqa: ANN401  (JSON)
    """Return `value` with every expression replaced by what it yields over `data`.

    A string that is one expression becomes the expression's value with its type; within a longer string the value is
    written as text. Keys are filled in too. Raises InvalidExpression with the path.
    """
    if isinstance(value, str):
        if OPENING not in value:
            return value
        try:
            return _render_text(value, data)
        except InvalidExpression as error:
            error.place.setdefault("path", shown(path))
            raise
    if isinstance(value, Mapping):
        return _render_mapping(value, data, path)
    if isinstance(value, list):
        return [render(item, data, (*path, index)) for index, item in enumerate(value)]
    return value


def _render_mapping(value: Mapping[str, Any], data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    rendered: dict[str, Any] = {}
    for key, item in value.items():
        name = render(key, data, (*path, key)) if OPENING in key else key
        if not isinstance(name, str):
            raise InvalidExpression("A key must be filled in with a text.", path=shown((*path, key)), expected="a text")
        if name in rendered:
            raise InvalidExpression(f"Two keys are filled in with {name!r}.", path=shown((*path, key)))
        rendered[name] = render(item, data, (*path, key))
    return rendered


def _render_text(text: str, data: Mapping[str, Any]) -> Any:  # noqa: ANN401  (JSON)
    found = cut(text)
    if found.whole is not None:
        return found.whole.evaluate(data)
    return "".join(part if isinstance(part, str) else as_text(part, data) for part in found.parts)


def as_text(expression: Expression, data: Mapping[str, Any]) -> str:
    """Return an expression's value as it is written within a longer text. Raises InvalidExpression."""
    value = expression.evaluate(data)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if len(text) > LARGEST_TEXT:
        raise InvalidExpression(
            f"The expression {expression.text!r} puts more than {LARGEST_TEXT} characters into a text.",
            hint="Use it as the whole value; then it may be of any size.",
        )
    return text


def shown(path: Path) -> str:
    """Return a path as people write it: `steps[0].config.data`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
