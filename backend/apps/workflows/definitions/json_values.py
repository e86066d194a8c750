"""Checks that a value is JSON that every database can keep."""

from __future__ import annotations

import math
from typing import Any

from backend.errors import InvalidInput

DEEPEST = 100


def check_json(value: Any, *, where: str) -> None:  # noqa: ANN401  (that it is JSON is what is found out here)
    """Raise InvalidInput with the field unless `value` is plain JSON without NUL characters or lone surrogates.

    where: the name of the whole, such as `inputs`; the error's `field` begins with it.
    """
    _check(value, where, 0)


def _check(value: Any, where: str, depth: int) -> None:  # noqa: ANN401
    if depth > DEEPEST:
        raise InvalidInput(f"The value is nested deeper than {DEEPEST} levels.", field=where)
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidInput("A key is not a string.", field=where, expected="a string")
            _check_text(key, where)
            _check(item, f"{where}.{key}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]", depth + 1)
    elif isinstance(value, str):
        _check_text(value, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput("The number is not finite.", field=where, expected="a JSON number")
    elif value is not None and not isinstance(value, bool | int | float):
        raise InvalidInput(f"A {type(value).__name__} is not JSON.", field=where, expected="JSON")


def _check_text(text: str, where: str) -> None:
    if "\0" in text:
        raise InvalidInput(
            "The text holds a NUL character.",
            field=where,
            hint='For a binary file write {"content": "...", "encoding": "base64"}.',
        )
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput("The text holds half of a surrogate pair.", field=where, expected="Unicode") from error
