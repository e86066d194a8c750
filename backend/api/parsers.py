"""Reads request bodies: JSON of bounded size and depth, in which nothing stands that could not be stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from backend.api.errors import PayloadTooLarge

DEEPEST = 100
"""How deep arrays and objects may be nested."""


class StrictJSONParser(JSONParser):
    """Parses JSON, and refuses what databases or later readers could not hold alike.

    Refused: bodies above DATA_UPLOAD_MAX_MEMORY_SIZE, nesting deeper than DEEPEST, NaN and Infinity, a name given twice
    in one object, and NUL characters and lone surrogates in strings.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002  (REST framework's signature)
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:  # noqa: ANN401  (JSON)
        """Return the body's value. Raises ParseError or PayloadTooLarge."""
        largest = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(largest + 1)
        if len(body) > largest:
            raise PayloadTooLarge(f"The request's body is larger than {largest} bytes.", hint="Send less at once.")
        try:
            value = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise ParseError(f"JSON parse error - nested deeper than {DEEPEST}") from error
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from error
        _check(value)
        return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:100]!r} is given twice")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check(value: Any) -> None:  # noqa: ANN401  (JSON)
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > DEEPEST:
            raise ParseError(f"JSON parse error - nested deeper than {DEEPEST}")
        if isinstance(each, str):
            _check_text(each)
        elif isinstance(each, dict):
            waiting += [(part, depth + 1) for pair in each.items() for part in pair]
        elif isinstance(each, list):
            waiting += [(part, depth + 1) for part in each]


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ParseError("JSON parse error - a string holds a NUL character, which cannot be stored")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ParseError("JSON parse error - a string holds a lone surrogate, which cannot be stored")
