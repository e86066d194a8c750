"""Rings for pages that show much at once, such as the first one, whenever the history has grown anywhere.

It says that something has happened, and not what. One task looks for all who listen, with one small statement.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from backend.api.asgi_types import Application, Receive, Send
from backend.apps.authentication.models import User
from backend.apps.workflows.models import ExecutionEvent
from backend.apps.workflows.streaming.application import HEADERS, HEARTBEAT, HELLO, MEDIA_TYPE, while_there
from backend.apps.workflows.streaming.hub import PAUSE, RECHECK
from backend.console.streams import RING, listener_of, with_session

logger = logging.getLogger(__name__)

PATH = "/console/pulse/"
MOST_LISTENERS = 2_000


class _Ear:
    """One page that listens. password: its user's hash when it began; a change of it ends the stream."""

    def __init__(self, user: User) -> None:
        self.user_id: UUID = user.pk
        self.password = user.password
        self.rung = asyncio.Event()
        self.refused = False


class Pulse:
    """An ASGI application that serves the pulse itself, and leaves all else to another one."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._ears: set[_Ear] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pulse")
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "GET":
            await self.application(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        user = None
        if len(self._ears) < MOST_LISTENERS and _accepts(scope):
            user = await loop.run_in_executor(self._thread, _who, scope)
        if user is None:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        ear = _Ear(user)
        self._ears.add(ear)
        self._task = self._task or loop.create_task(self._look())
        await while_there(_ring(ear, send), receive, leave=lambda: self._ears.discard(ear))

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        newest: int | None = None
        checked = time.monotonic()
        while self._ears:
            try:
                found = await loop.run_in_executor(self._thread, _newest)
                if found != newest and newest is not None:
                    for ear in self._ears:
                        ear.rung.set()
                newest = found
                if time.monotonic() - checked > RECHECK:
                    checked = time.monotonic()
                    ears = list(self._ears)
                    passwords = await loop.run_in_executor(self._thread, _passwords, {ear.user_id for ear in ears})
                    for ear in ears:
                        if passwords.get(ear.user_id) != ear.password:
                            ear.refused = True
                            ear.rung.set()
            except Exception:
                # The pages are still there; mostly the database was not.
                logger.exception("What is new could not be found out; it is tried again")
                await loop.run_in_executor(self._thread, connection.close)
            await asyncio.sleep(PAUSE)
        # Nobody can have joined since: there was no await.
        self._task = None
        self._thread.submit(connection.close)


async def _ring(ear: _Ear, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": HELLO, "more_body": True})
    while not ear.refused:
        try:
            await asyncio.wait_for(ear.rung.wait(), HEARTBEAT)
            text = RING
        except TimeoutError:
            text = b":\n\n"
        ear.rung.clear()
        if ear.refused:
            text = b"event: refused\ndata: {}\n\n"
        await send({"type": "http.response.body", "body": text, "more_body": not ear.refused})


def _accepts(scope: dict[str, Any]) -> bool:
    accepts = b",".join(value for name, value in scope["headers"] if name == b"accept")
    return MEDIA_TYPE.encode() in accepts.lower()


def _who(scope: dict[str, Any]) -> User | None:
    try:
        response: Any = _admit(ASGIRequest(scope, BytesIO()))
    except Exception:
        # As Django's own handler does with what nobody foresaw.
        logger.exception("A page that wants to listen could not be admitted")
        connection.close()
        return None
    user: User | None = getattr(response, "admitted", None)
    return user


@with_session
def _admit(request: HttpRequest) -> HttpResponseBase:
    response = HttpResponse()
    response.admitted = listener_of(request)  # type: ignore[attr-defined]
    return response


def _newest() -> int:
    return ExecutionEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0


def _passwords(user_ids: set[UUID]) -> dict[UUID, str]:
    return dict(User.objects.filter(pk__in=user_ids, is_active=True).values_list("pk", "password"))
