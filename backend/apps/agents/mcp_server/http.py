"""The MCP server over HTTP: streamable HTTP at one path, in the web process, before Django.

No session is kept: each request stands by itself, so that any number of web processes can serve one client. The SDK is
imported with the first request; a web process that is not asked for it pays nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

from backend.api.asgi_types import Application, Receive, Send
from backend.apps.agents.mcp_server.gate import Refused, admit
from backend.apps.agents.services.acting import Via
from backend.apps.authentication.models import User

LARGEST_REQUEST = 16 * 1024 * 1024
"""Bytes of one request: files are written through it."""
USER = "repomill.user"

Scope = MutableMapping[str, Any]


class Mounted:
    """An ASGI application that answers at `path` as an MCP server, and elsewhere as `otherwise`."""

    def __init__(self, otherwise: Application, *, path: str = "/mcp") -> None:
        self._otherwise = otherwise
        self._path = path
        self._manager: Any = None
        self._starting: asyncio.Lock | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["path"].rstrip("/") == self._path:
            await self._serve(scope, receive, send)
        else:
            await self._otherwise(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            user = await sync_to_async(_admitted, thread_sensitive=False)(dict(scope))
        except Refused as refused:
            await _send(send, refused)
            return
        manager = await self._running()
        await manager.handle_request({**scope, USER: user}, receive, send)

    async def _running(self) -> Any:  # noqa: ANN401  (the SDK is imported late)
        """Return the SDK's manager. It lives in a task of its own, for as long as the event loop does."""
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self._keeper is None or self._keeper.done():
                self._manager = _new_manager()
                running = asyncio.Event()
                self._keeper = asyncio.create_task(_keep(self._manager, running))
                await running.wait()
        return self._manager


def _new_manager() -> Any:  # noqa: ANN401
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from backend.apps.agents.mcp_server.server import build

    def who(context: Any) -> User:  # noqa: ANN401
        user: User = context.request.scope[USER]
        return user

    return StreamableHTTPSessionManager(
        app=build(who=who, via=Via.MCP_HTTP),
        json_response=True,
        stateless=True,
        max_request_body_size=LARGEST_REQUEST,
    )


async def _keep(manager: Any, running: asyncio.Event) -> None:  # noqa: ANN401
    async with manager.run():
        running.set()
        await asyncio.Event().wait()


def _admitted(scope: dict[str, Any]) -> User:
    try:
        return admit(scope)
    finally:
        connections.close_all()


async def _send(send: Send, refused: Refused) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in refused.headers.items()]
    headers.append((b"content-length", str(len(refused.body)).encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": refused.body})
