"""Sends files after Django has answered: an ASGI application around it.

A request at work in Django has a thread and perhaps a database connection, and keeps them until its last byte is sent.
So Django says what is sent and hands the open file over here, and has forgotten the request before the first byte goes
out: however slowly somebody reads, that costs a file descriptor and two pieces of memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Protocol

from backend.api.asgi_types import Application, Message, Receive, Send

Scope = MutableMapping[str, Any]

KEY = "repomill.handover"
MARK = "X-Repomill-File"
"""The header of Django's answer whose body is the file that was handed over; it goes no further than this module."""
_MARK = MARK.lower().encode()


class Body(Protocol):
    """What is sent: pieces of bytes, and something to be closed in the end."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces."""
        ...

    def close(self) -> None:
        """Free what it holds; nothing happens the second time."""
        ...


class Handover:
    """Where Django leaves the body of one answer."""

    def __init__(self) -> None:
        self.body: Body | None = None
        self.start: Message | None = None


def handover_of(scope: Mapping[str, Any]) -> Handover | None:
    """Return where a body can be left, None where nobody would take it from there."""
    found: Handover | None = scope.get(KEY)
    return found


class FileSender:
    """The application, with files sent after it has ended."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        handover = Handover()

        async def hold(message: Message) -> None:
            """Pass everything on but the answer whose body comes later."""
            if message["type"] == "http.response.start" and any(
                name.lower() == _MARK for name, _ in message["headers"]
            ):
                headers = [(name, value) for name, value in message["headers"] if name.lower() != _MARK]
                handover.start = {**message, "headers": headers}
            elif handover.start is None:
                await send(message)

        try:
            await self.application({**scope, KEY: handover}, receive, hold)
            if handover.start is not None and handover.body is not None:
                await send(handover.start)
                await _send(handover.body, receive, send)
        finally:
            if handover.body is not None:
                handover.body.close()


async def _send(body: Body, receive: Receive, send: Send) -> None:
    """Send the pieces, the next being read while one is sent, until the client has gone or has them all."""
    gone = asyncio.create_task(_disconnected(receive))
    pieces = aiter(body)
    following = asyncio.ensure_future(_next(pieces))
    try:
        while (piece := await following) is not None:
            following = asyncio.ensure_future(_next(pieces))
            if gone.done():
                # The server would take all the rest and throw it away.
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
    finally:
        gone.cancel()
        # What is being read must have ended before the file is closed.
        with suppress(Exception):
            await following


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
