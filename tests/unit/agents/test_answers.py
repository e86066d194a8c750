"""What becomes of a server's answers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from backend.apps.agents.errors import APIError
from backend.apps.agents.services import answers


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", {}),
        (b" \n", {}),
        (b'{"a": 1}', {"a": 1}),
        (b"[1, 2]", [1, 2]),
        (b'"text"', "text"),
        (b"null", None),
        ('{"a": "€\\ud83d\\ude00"}'.encode(), {"a": "€😀"}),
    ],
)
def test_json_is_returned_as_it_is(body: bytes, value: Any) -> None:
    assert answers.decode(body, status=200) == value


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"{", b'{"a": NaN}', b"[Infinity]", b'{"a": "\\ud800"}', b"\xff", b"[" * 100_000, b"1" * 5000],
    ids=["html", "cut", "nan", "infinity", "surrogate", "not utf-8", "deep", "long number"],
)
def test_what_is_no_json_is_an_error_that_says_so(body: bytes) -> None:
    with pytest.raises(APIError, match="not JSON") as caught:
        answers.decode(body, status=200)
    assert caught.value.status_code == 200
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"detail": "No such project."}', "No such project."),
        (b'{"message": "Bad title"}', "Bad title"),
        (b'{"title": "Conflict"}', "Conflict"),
        (b'{"title": "Conflict", "detail": "Taken."}', ": Taken."),
        (b'{"detail": "No.", "errors": [{"field": "title", "message": "Too long."}]}', "No.; title: Too long."),
        (
            b'{"detail": "title: Too long.", "errors": [{"field": "title", "message": "Too long."}]}',
            ": title: Too long.",
        ),
        (b'{"title": ["This field is required."]}', '{"title": ["This field is required."]}'),
        (b'{"detail": "No.", "errors": 5}', ": No."),
        (b'{"errors": true}', '{"errors": true}'),
        (b'{"errors": "all of it"}', '{"errors": "all of it"}'),
        (b'{"errors": {"title": ["Too long."]}}', '{"errors": {"title": ["Too long."]}}'),
        (b'{"errors": null}', '{"errors": null}'),
        (b'{"errors": [["deeper"], {"field": "a", "message": {"b": 1}}]}', "a: {'b': 1}"),
        (b"plain\r\nwords\x1b[31m", "plain words [31m"),
        (b"", "answered 404."),
        (b"[1]", "[1]"),
    ],
)
def test_a_refusal_has_the_servers_own_words(body: bytes, words: str) -> None:
    error = answers.refusal(body, status=404, headers={})
    assert error.message.endswith(words)
    assert "404" in error.message
    assert error.message.isprintable()
    assert error.as_json()["status_code"] == 404


def test_a_token_that_stays_refused_says_what_to_look_at() -> None:
    assert "signing keys" in (answers.refusal(b"", status=401, headers={}).hint or "")
    assert answers.refusal(b"", status=403, headers={}).hint is None


def test_long_words_are_cut() -> None:
    assert len(answers.refusal(b"x" * 9000, status=500, headers={}).message) < answers.LONGEST_EXCERPT + 50


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (404, False), (409, False), (500, True), (501, False), (502, True), (503, True)],
)
def test_only_passing_trouble_is_retryable(status: int, retryable: bool) -> None:
    assert answers.refusal(b"", status=status, headers={}).retryable is retryable


def test_the_error_keeps_the_specified_signature() -> None:
    error = APIError("It failed", 418)
    assert (error.message, error.status_code, str(error)) == ("It failed", 418, "It failed")
    assert APIError("It failed").status_code is None
    assert APIError().message == "The API call failed."


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), (" 0 ", 0.0), ("", None), ("soon", None), ("-1", None), ("9" * 30, 1e9), ("٣", None)],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert answers.retry_after({"retry-after": value}) == seconds


def test_retry_after_as_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=100)
    assert 95 <= (answers.retry_after({"retry-after": format_datetime(later, usegmt=True)}) or 0) <= 101
    assert answers.retry_after({"retry-after": "Sun, 22 Nov 2020 10:00:00 -0000"}) == 0.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("-5", None),
        ("1.5", None),
        ("nan", None),
        ("1e3", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 1e9),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_an_odd_retry_after_is_bounded_or_counts_for_none(value: str, seconds: float | None) -> None:
    assert answers.retry_after({"retry-after": value}) == seconds


def read(response: httpx.Response) -> bytes:
    return asyncio.run(answers.read_body(response))


class Endless(httpx.AsyncByteStream):
    def __init__(self) -> None:
        self.given = 0

    async def __aiter__(self) -> Any:
        while True:
            self.given += 1
            yield b"x" * 1024 * 1024


def test_an_endless_answer_is_cut_off() -> None:
    stream = Endless()
    with pytest.raises(APIError, match="larger than 10 MiB"):
        read(httpx.Response(200, stream=stream))
    assert stream.given == 11


def test_a_compressed_answer_is_refused_unread() -> None:
    stream = Endless()
    with pytest.raises(APIError, match="compressed"):
        read(httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream))
    assert stream.given == 0
