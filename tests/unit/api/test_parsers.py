"""Which bodies are read."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rest_framework.exceptions import ParseError

from backend.api.errors import PayloadTooLarge
from backend.api.parsers import StrictJSONParser
from backend.strict_json import DEEPEST


def parse(body: bytes) -> Any:
    return StrictJSONParser().parse(io.BytesIO(body))


@pytest.mark.parametrize(
    "value", [{}, [], "text", 1, None, {"a": [{"b": "€😀\n"}]}, {"\ud83d\ude00": 1}], ids=lambda each: ascii(each)
)
def test_json_is_read(value: Any) -> None:
    assert parse(json.dumps(value).encode("utf-8")) == json.loads(json.dumps(value))


@pytest.mark.parametrize("depth", [DEEPEST])
def test_depth_up_to_the_limit_is_read(depth: int) -> None:
    assert parse(b"[" * depth + b"]" * depth)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting"),
        (b"\xff", "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b'{"a": 1, "a": 2}', "'a' is given twice"),
        (b'{"a": "x\\u0000"}', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'["\\ud800"]', "surrogate"),
        (b"9" * 5000, "64 bits"),
        (b"[" * (DEEPEST + 2) + b"]" * (DEEPEST + 2), "deeper"),
        (b"[" * 200_000, "deeper"),
    ],
    ids=lambda each: each[:20].decode(errors="replace") if isinstance(each, bytes) else None,
)
def test_other_bodies_are_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        parse(body)


def test_large_bodies_are_refused_without_being_read_whole(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    stream = io.BytesIO(b'"' + b"x" * 100 + b'"')
    with pytest.raises(PayloadTooLarge, match="larger than 10 bytes"):
        StrictJSONParser().parse(stream)
    assert stream.tell() == 11
