"""Lets at most so many requests be at work at once; the others wait for their turn, and in the end are sent away.

Each request at work has a thread and may have a database connection, of which a server has few. Who waits costs next to
nothing. A request is at work from when all of it has come in until it begins to answer: neither a
slow sender nor a slow reader keeps anybody waiting. Who leaves while waiting is not worked for.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from backend.api.asgi_types import Application, Message, Receive, Send
from backend.api.errors import MEDIA_TYPE, problem

ALWAYS = frozenset({"/healthz", "/readyz"})
"""Asked by whoever watches the process: a busy one is not a dead one."""
RETRY_AFTER = 5


class Admission:
    """An ASGI application that lets another one work at `most` requests at once.

    patience: seconds that a request waits for its turn before it is answered 503.
    """

    def __init__(self, application: Application, *, most: int, patience: float) -> None:
        self.application = application
        self.patience = patience
        self._turns = asyncio.Semaphore(most)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request in its turn."""
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self.application(scope, receive, send)
            return
        turn = _Turn(self._turns, patience=self.patience)
        ahead: asyncio.Future[Message] | None = None

        async def received() -> Message:
            nonlocal ahead
            message = await (receive() if ahead is None else ahead)
            if ahead is None and message["type"] == "http.request" and not message.get("more_body"):
                # Not before: who sends slowly keeps nobody waiting. After it comes only that the client left.
                ahead = asyncio.ensure_future(receive())
                if not await turn.take(unless=ahead):
                    return await ahead
            return message

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                turn.give_back()
            await send(message)

        try:
            await self.application(scope, received, answering)
        except NoTurn:
            await _come_back(scope, send)
        finally:
            turn.give_back()
            if ahead is not None:
                ahead.cancel()


class NoTurn(Exception):
    """The request has waited for its turn in vain."""


class _Turn:
    """One request's turn, which it takes once and gives back once."""

    def __init__(self, turns: asyncio.Semaphore, *, patience: float) -> None:
        self._turns = turns
        self._patience = patience
        self._has = False

    async def take(self, *, unless: asyncio.Future[Any]) -> bool:
        """Wait for the turn, and return whether it came before `unless` did. Raises NoTurn."""
        if not self._turns.locked():
            self._has = await self._turns.acquire()
            return True
        acquiring = asyncio.ensure_future(self._turns.acquire())
        try:
            await asyncio.wait({acquiring, unless}, timeout=self._patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._has = acquiring.done()
            acquiring.cancel()
        if not self._has and not unless.done():
            raise NoTurn
        return self._has

    def give_back(self) -> None:
        """Let somebody else have it."""
        if self._has:
            self._has = False
            self._turns.release()


async def _come_back(scope: dict[str, Any], send: Send) -> None:
    said = problem(
        status=503,
        code="temporary_failure",
        detail="The server has more requests than it can work at.",
        instance=scope["path"],
        retryable=True,
        hint=f"Send the request again in {RETRY_AFTER} seconds.",
    )
    body = json.dumps(said).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(RETRY_AFTER).encode()),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
