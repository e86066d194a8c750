"""Refuses request bodies that are too large while they come in: an ASGI middleware around the whole application.

Django writes a body to the disk before any view is asked, however long it is, and believes its Content-Length. Here the
bytes themselves are counted, so a body without a length, or with a wrong one, is cut off too. A view that takes more
than others says so by its attribute `largest_body`.
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.urls import Resolver404, resolve

from backend.api.asgi_types import Application, Message, Receive, Send
from backend.api.errors import MEDIA_TYPE, problem


class BodyLimit:
    """Answers 413 to a request whose body is larger than its view takes."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request. What is not HTTP passes as it is."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        body, answer = _Body(scope, receive), _Answer(send)
        if body.takes(_declared(scope)):
            await self.application(scope, body.receive, answer.send)
        if body.refused and not answer.begun:
            await _refuse(scope, send, largest=body.largest)


class _Body:
    def __init__(self, scope: Message, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._seen = 0
        self._asked = False
        self.largest: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        self.refused = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            if not self.takes(self._seen):
                # As if the client had gone: the application cleans up and answers nothing.
                return {"type": "http.disconnect"}
        return message

    def takes(self, size: int) -> bool:
        """Return whether so many bytes are let in. The view is looked for only then: most bodies are small."""
        if size > self.largest and not self._asked:
            self._asked = True
            self.largest = max(self.largest, _largest_for(str(self._scope["path"])))
        self.refused = self.refused or size > self.largest
        return not self.refused


class _Answer:
    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def send(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


def _largest_for(path: str) -> int:
    try:
        view: Any = resolve(path).func
    except Resolver404:
        return 0
    kind = getattr(view, "cls", None) or getattr(view, "view_class", None)
    return int(getattr(kind, "largest_body", 0) or 0)


def _declared(scope: Message) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _refuse(scope: Message, send: Send, *, largest: int) -> None:
    body = problem(
        status=413,
        code="payload_too_large",
        detail=f"The request's body is larger than {largest} bytes.",
        instance=str(scope["path"]),
        hint="Send less in one request; large structures can be sent file by file, or as an archive.",
        limit=largest,
    )
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
