"""Serves event streams in front of Django, whose own handler would keep a thread for each of them.

A request for a stream is admitted by the REST API's own view: token, rights, throttles and problem details are the
same. After that it is the event loop's alone.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections, connections
from django.http import HttpResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.asgi_types import Application, Receive, Send
from backend.api.errors import server_error
from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.workflows.access import get_execution
from backend.apps.workflows.serializers.events import EventFilters
from backend.apps.workflows.streaming.hub import Hub, Listener
from backend.apps.workflows.streaming.news import Watcher
from backend.errors import InvalidInput, TemporaryFailure

logger = logging.getLogger(__name__)


PATH = re.compile(r"/api/v1/workflows/executions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/events/")
MEDIA_TYPE = "text/event-stream"
HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent, so that nobody in between takes the connection for dead."""
MOST_LISTENERS = 5_000
HELLO = b"retry: 2000\n\n"
HEADERS = [
    (b"content-type", f"{MEDIA_TYPE}; charset=utf-8".encode()),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # nginx would collect the events otherwise.
    (b"x-accel-buffering", b"no"),
]


class _JSON(BaseContentNegotiation):
    """The view's own answers are problems; what was asked for is given by the stream."""

    def select_parser(self, request: Request, parsers: Any) -> Any:  # noqa: ANN401, ARG002  (REST framework's signature)
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:  # noqa: ANN401, ARG002
        return renderers[0], renderers[0].media_type


class _Admission(ApiViewSet):
    """Admits a request for a stream, and says who listens and from where on."""

    renderer_classes = (JSONRenderer,)
    content_negotiation_class = _JSON

    def watch(self, request: Request, execution_id: UUID, listening: int) -> Response:
        request.get_host()
        after: int = self.filters(request, EventFilters)["after"]
        user = user_of(request)
        get_execution(user=user, execution_id=execution_id)
        if listening >= MOST_LISTENERS:
            raise TemporaryFailure("Too many streams are open.", retry_after=10, hint="Read the events page by page.")
        response = Response()
        response.admitted = Watcher(user, execution_id), _last_event_id(request, after)  # type: ignore[attr-defined]
        return response


@dataclass(frozen=True)
class Door:
    """A way in to the streams.

    path: the addresses it serves; its group is the execution's id.
    admission: a view that takes `execution_id` and how many are `listening`; its answer is sent, unless it has
        `admitted`: who listens, and after which event.
    listener: how they are told.
    """

    path: re.Pattern[str]
    admission: Callable[..., Any]
    listener: Callable[..., Listener] = Listener

    def asked_for(self, scope: dict[str, Any]) -> UUID | None:
        """Return the execution whose stream a request asks for; None where it asks for anything else."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        found = self.path.fullmatch(scope["path"])
        accepts = b",".join(value for name, value in scope["headers"] if name == b"accept")
        return UUID(found[1]) if found and MEDIA_TYPE.encode() in accepts.lower() else None


API = Door(PATH, _Admission.as_view({"get": "watch"}))


class EventStreams:
    """An ASGI application that serves event streams itself, and leaves all else to another one.

    doors: further ways in, beside the API's.
    """

    def __init__(self, application: Application, *doors: Door) -> None:
        self.application = application
        self.doors = (API, *doors)
        self.hub = Hub()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="stream-admission")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        for door in self.doors:
            if (execution_id := door.asked_for(scope)) is not None:
                await self._serve(door, execution_id, scope, receive, send)
                return
        await self.application(scope, receive, send)

    async def _serve(self, door: Door, execution_id: UUID, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._threads, _admit, door, scope, execution_id, len(self.hub))
        if isinstance(answer, HttpResponse):
            await _answer(answer, send)
            return
        watcher, after = answer
        await self._stream(door.listener(watcher, after=after), receive, send)

    async def _stream(self, listener: Listener, receive: Receive, send: Send) -> None:
        self.hub.join(listener)
        await while_there(_send_all(listener, send), receive, leave=lambda: self.hub.leave(listener))


async def _send_all(listener: Listener, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": HELLO, "more_body": True})
    more = True
    while more:
        text = await listener.take(patience=HEARTBEAT)
        # It may end while this is sent, and says so then.
        more = not (listener.over and text)
        # Where the reader is slow this waits until there is room, and meanwhile nothing is looked up for them.
        await send({"type": "http.response.body", "body": text or b":\n\n", "more_body": more})


async def while_there(work: Coroutine[Any, Any, None], receive: Receive, *, leave: Callable[[], None]) -> None:
    """Do the work until it ends or the listener is gone; then leave, and only then wait for the end of both."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leave()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(response: HttpResponse, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    headers.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


def _admit(door: Door, scope: dict[str, Any], execution_id: UUID, listening: int) -> tuple[Watcher, int] | HttpResponse:
    close_old_connections()
    request = ASGIRequest(scope, BytesIO())
    try:
        response: Any = door.admission(request, execution_id=execution_id, listening=listening)
        admitted: tuple[Watcher, int] | None = getattr(response, "admitted", None)
        if admitted:
            return admitted
        # REST framework's answers are written down last of all, where Django would do it.
        answer: HttpResponse = response.render() if hasattr(response, "render") else response
        return answer
    except Exception:
        # As Django's own handler does with what nobody foresaw.
        logger.exception("A stream could not be admitted")
        return server_error(request)
    finally:
        connections.close_all()


def _last_event_id(request: Request, after: int) -> int:
    """Return where to go on: what the client says it has, or else what it asked for."""
    text = request.headers.get("Last-Event-ID")
    if not text:
        return after
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidInput("It is no event's number.", field="Last-Event-ID", expected="the `id` of the last event")
    return int(text)
