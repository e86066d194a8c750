"""A body that is too large is cut off while it comes in, whatever its Content-Length says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.test import Client

from backend.api.body_limit import BodyLimit

LIMIT = 100


@pytest.fixture(autouse=True)
def limit(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = LIMIT


class Reader:
    """An application that reads the whole body and says how long it was, as Django does before it calls a view."""

    def __init__(self, *, hurry: bool = False) -> None:
        self.read = 0
        self.hurry = hurry

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.hurry:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            self.read += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        if not self.hurry:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"read"})


def call(
    application: Any, chunks: list[bytes], *, length: int | None = None, path: str = "/api/v1/projects/"
) -> tuple[list[dict[str, Any]], int]:
    """Send chunks, and return what was answered and how many chunks were taken."""
    taken = 0
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal taken
        if taken == len(chunks):
            return {"type": "http.disconnect"}
        taken += 1
        return {"type": "http.request", "body": chunks[taken - 1], "more_body": taken < len(chunks)}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
    asyncio.run(BodyLimit(application)(scope, receive, send))
    return sent, taken


@pytest.mark.parametrize("length", [None, 100, 1, 0])
def test_a_body_up_to_the_limit_passes(length: int | None) -> None:
    reader = Reader()
    sent, _ = call(reader, [b"x" * 50, b"x" * 50], length=length)
    assert (sent[0]["status"], reader.read) == (200, 100)


@pytest.mark.parametrize("length", [None, 100, 1], ids=["chunked", "lies", "lies more"])
def test_a_larger_one_is_cut_off_where_it_is_too_large(length: int | None) -> None:
    reader = Reader()
    sent, taken = call(reader, [b"x" * 60] * 1000, length=length)
    assert (reader.read, taken) == (60, 2)
    assert sent[0]["status"] == 413
    problem = json.loads(sent[1]["body"])
    assert (problem["code"], problem["limit"], problem["instance"]) == ("payload_too_large", 100, "/api/v1/projects/")
    assert problem["hint"]
    assert (b"content-type", b"application/problem+json") in sent[0]["headers"]
    assert (b"connection", b"close") in sent[0]["headers"]


def test_one_that_says_so_itself_is_not_read_at_all() -> None:
    reader = Reader()
    sent, taken = call(reader, [b"x"] * 200, length=200)
    assert (sent[0]["status"], taken, reader.read) == (413, 0, 0)


def test_nothing_follows_an_answer_that_has_begun() -> None:
    sent, _ = call(Reader(hurry=True), [b"x" * 60] * 3)
    assert [message.get("status") for message in sent] == [200]


def test_a_view_may_take_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.apps.projects.api import ProjectViewSet

    monkeypatch.setattr(ProjectViewSet, "largest_body", 150, raising=False)
    assert call(Reader(), [b"x" * 150])[0][0]["status"] == 200
    assert json.loads(call(Reader(), [b"x" * 151])[0][1]["body"])["limit"] == 150
    assert call(Reader(), [b"x" * 101], path="/nowhere/")[0][0]["status"] == 413


@pytest.mark.django_db(transaction=True)
def test_django_behind_it_cleans_up_and_answers_nothing() -> None:
    sent, taken = call(ASGIHandler(), [b"x" * 60] * 1000)
    assert (sent[0]["status"], len(sent), taken) == (413, 2, 2)


def test_what_is_no_request_passes() -> None:
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(BodyLimit(application)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


@pytest.mark.django_db
def test_what_django_finds_too_large_is_a_413_as_well() -> None:
    answer = Client().post("/api/v1/auth/token/", "x" * 200, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
