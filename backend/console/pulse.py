"""Rings for pages that show much at once, such as the first one, whenever there is something new to show.

It says that something has happened, and not what. One task looks for all who listen, at what each of them listens to
once (`signs`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from io import BytesIO
from typing import Any
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from backend.api.asgi_types import Application, Receive, Send
from backend.apps.authentication.models import User
from backend.apps.workflows.streaming.application import HEADERS, HEARTBEAT, HELLO, MEDIA_TYPE, while_there
from backend.apps.workflows.streaming.hub import PAUSE, RECHECK
from backend.console.signs import Subject, subject_of
from backend.console.streams import RING, listener_of, with_session

logger = logging.getLogger(__name__)

MOST_LISTENERS = 2_000
SLOW = 1.0
"""Seconds between two looks at what is slow to look at."""


class _Ear:
    """One page that listens. password: its user's hash when it began; a change of it ends the stream."""

    def __init__(self, user: User, subject: Subject) -> None:
        self.subject = subject
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
        subject = subject_of(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if subject is None:
            await self.application(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        user: User | int | None = None
        if len(self._ears) < MOST_LISTENERS and _accepts(scope):
            user = await loop.run_in_executor(self._thread, _who, scope, subject)
        if not isinstance(user, User):
            status = user or HTTPStatus.FORBIDDEN
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        ear = _Ear(user, subject)
        self._ears.add(ear)
        self._task = self._task or loop.create_task(self._look())
        await while_there(_ring(ear, send), receive, leave=lambda: self._ears.discard(ear))

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        known: dict[Subject, Hashable] = {}
        checked = looked = time.monotonic()
        while self._ears:
            try:
                slow = time.monotonic() - looked >= SLOW
                looked = time.monotonic() if slow else looked
                subjects = {ear.subject for ear in self._ears if slow or not ear.subject.slow}
                found = await loop.run_in_executor(self._thread, _signs, subjects)
                for ear in self._ears:
                    # What is looked at for the first time rings too: it may be newer than what the page shows.
                    if ear.subject in found and known.get(ear.subject) != found[ear.subject]:
                        ear.rung.set()
                here = {ear.subject for ear in self._ears}
                known = {subject: sign for subject, sign in (known | found).items() if subject in here}
                if time.monotonic() - checked > RECHECK:
                    checked = time.monotonic()
                    refused = await loop.run_in_executor(self._thread, _refused, list(self._ears))
                    for ear in refused:
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


def _who(scope: dict[str, Any], subject: Subject) -> User | int | None:
    """Return who listens, or the status of the refusal."""
    try:
        response: Any = _admit(ASGIRequest(scope, BytesIO()), subject=subject)
    except Exception:
        # As Django's own handler does with what nobody foresaw.
        logger.exception("A page that wants to listen could not be admitted")
        connection.close()
        return None
    user: User | None = getattr(response, "admitted", None)
    return user or response.status_code


@with_session
def _admit(request: HttpRequest, *, subject: Subject) -> HttpResponseBase:
    user = listener_of(request)
    if user is None:
        return HttpResponse(status=HTTPStatus.FORBIDDEN)
    if not subject.may_listen(user):
        return HttpResponse(status=HTTPStatus.NOT_FOUND)
    response = HttpResponse()
    response.admitted = user  # type: ignore[attr-defined]
    return response


def _signs(subjects: set[Subject]) -> dict[Subject, Hashable]:
    return {subject: subject.sign() for subject in subjects}


def _refused(ears: list[_Ear]) -> list[_Ear]:
    """Return those that may not listen any more: another password, no account, or what they listen to is not theirs."""
    users = User.objects.in_bulk({ear.user_id for ear in ears})
    still: dict[tuple[UUID, Subject], bool] = {}
    refused = []
    for ear in ears:
        user = users.get(ear.user_id)
        if user is None or not user.is_active or user.password != ear.password:
            refused.append(ear)
            continue
        key = ear.user_id, ear.subject
        if key not in still:
            still[key] = ear.subject.may_listen(user)
        if not still[key]:
            refused.append(ear)
    return refused
