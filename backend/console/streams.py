"""The streams that pages listen to: they ring and say nothing, and the page asks afresh for what it shows.

So a page shows what its reader may see at that moment, a lost connection loses nothing, and a burst of news is one
message. Who may listen is asked of the session. A run's stream is the API's (decision 0035) with another way in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from backend.api.errors import status_of
from backend.apps.authentication.models import User
from backend.apps.workflows.access import get_execution
from backend.apps.workflows.streaming.application import MOST_LISTENERS, Door
from backend.apps.workflows.streaming.hub import Listener
from backend.apps.workflows.streaming.news import Frame, Watcher
from backend.errors import RepomillError

RING = b"data: news\n\n"
_UUID = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"


class Bell(Listener):
    """Rings for each batch of events. A run that has ended is listened to as before: it can be resumed."""

    def tell(self, frames: list[Frame]) -> None:
        """Ring once for all of them."""
        if frames:
            self.position = frames[-1].sequence
            self._waiting.append(b"id: %d\n" % self.position + RING)
            self._something.set()

    def end(self, kind: str, **data: Any) -> None:  # noqa: ANN401  (JSON)
        """End where the listener may not listen any more, or there is nothing to listen to."""
        if kind != "end" or data.get("status") == "deleted":
            super().end("refused", **data)


def with_session(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let a view outside of Django's handler know who has logged in."""

    def ask(request: HttpRequest, **more: Any) -> HttpResponseBase:  # noqa: ANN401  (the view's)
        def answer(request: HttpRequest) -> HttpResponseBase:
            return view(request, **more)

        try:
            request.get_host()
            handler: Any = SessionMiddleware(AuthenticationMiddleware(answer))
            response: HttpResponseBase = handler(request)
        except SuspiciousOperation:
            return HttpResponse(status=400)
        return response

    return ask


def listener_of(request: HttpRequest) -> User | None:
    """Return who has logged in; None for nobody."""
    user = request.user
    return user if isinstance(user, User) and user.is_active else None


@with_session
def _admit(request: HttpRequest, *, execution_id: UUID, listening: int) -> HttpResponseBase:
    user = listener_of(request)
    if user is None:
        return HttpResponse(status=403)
    if listening >= MOST_LISTENERS:
        return HttpResponse(status=503, headers={"Retry-After": "10"})
    try:
        get_execution(user=user, execution_id=execution_id)
    except RepomillError as error:
        return HttpResponse(status=status_of(error))
    response = HttpResponse()
    response.admitted = Watcher(user, execution_id), _last(request)  # type: ignore[attr-defined]
    return response


def _last(request: HttpRequest) -> int:
    """Return the number of the last event that the page has; 0 where it says none, which rings at once."""
    text = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


RUN = Door(re.compile(rf"/console/runs/{_UUID}/stream/"), _admit, Bell)
