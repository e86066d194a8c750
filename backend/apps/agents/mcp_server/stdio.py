"""The MCP server on standard input and output, for an agent on this machine that starts it as its child."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import anyio
from mcp.server.stdio import stdio_server

from backend.apps.agents.mcp_server.server import build
from backend.apps.agents.services.acting import Via
from backend.apps.authentication.models import User


def serve(*, user_id: UUID, project: str | None = None) -> None:
    """Serve until the input ends. The user is read anew with each call: a deactivation stops the agent."""

    def who(context: Any) -> User:  # noqa: ANN401, ARG001  (there is one user)
        return User.objects.get(pk=user_id)

    server = build(who=who, via=Via.MCP_STDIO, project=project)

    async def run() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(run)
