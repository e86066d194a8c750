"""The MCP server, whatever it is reached by: lists the tools, and calls them in the name of whoever is asking.

The work is done in threads: it asks the database and the disk. Waiting is done here, between two looks, and holds no
thread.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import anyio
import mcp_types as types
from asgiref.sync import sync_to_async
from django.db import connections
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError

from backend.apps.agents.mcp_server.catalogue import TOOLS
from backend.apps.agents.mcp_server.tools import LONGEST_WAIT, Tool, Work, told
from backend.apps.agents.services.acting import Via
from backend.apps.agents.services.agent_context import AgentContext
from backend.apps.authentication.models import User

DESTRUCTIVE = frozenset({"check_out_files", "delete_files", "control_run"})
PAUSE = 0.5
"""Seconds between two looks."""
INSTRUCTIONS = (
    "Repomill does durable background work on projects. Files: check_out_files begins with the newest generation,"
    " write_files puts files into the project's workspace, commit_files makes a generation of them, export_project"
    " delivers the newest generation as an archive or to a git host. Workflows: list_workflows, start_run, then"
    " follow_run until `ended` is true. What was started goes on when this connection ends. A refusal has a code, a"
    " message and mostly a hint that says what to do."
)

Who = Callable[[ServerRequestContext[Any, Any]], User]
"""Says in whose name a request is made; called in a thread."""


def build(*, who: Who, via: Via, project: str | None = None) -> Server[Any]:
    """Return the server. project: what tools work on that are not told a project."""

    async def list_tools(
        _context: ServerRequestContext[Any, Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_as_listed(tool, project=project) for tool in TOOLS.values()])

    async def call_tool(
        context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {params.name[:100]!r}.")
        try:
            arguments = tool.checked(_with_project(tool, params.arguments, project))
            user = await _in_thread(who, context)
            agent = AgentContext(user=user, project=arguments.get("project"), via=via)
            return _answer(await _call(tool, agent, arguments))
        except Exception as error:  # noqa: BLE001  (a model is told of every failure, and of a fault only that it is one)
            return _answer(told(error, tool=tool.name), is_error=True)

    return Server(
        "repomill",
        version=version("repomill"),
        title="Repomill",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _call(tool: Tool, agent: AgentContext, arguments: dict[str, Any]) -> Any:  # noqa: ANN401  (JSON)
    seen = await _in_thread(tool.work, agent, arguments)
    if tool.again is None:
        return seen
    again: Work = tool.again
    until = time.monotonic() + min(arguments.get("wait_seconds", LONGEST_WAIT), LONGEST_WAIT)
    while not tool.settled(seen) and time.monotonic() < until:
        await anyio.sleep(min(PAUSE, max(0.0, until - time.monotonic())))
        seen = await _in_thread(again, agent, arguments)
    return seen


async def _in_thread(work: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
    def do() -> Any:  # noqa: ANN401
        try:
            return work(*arguments)
        finally:
            # The thread is one of a pool, and nobody would look after a connection that it keeps.
            connections.close_all()

    return await sync_to_async(do, thread_sensitive=False)()


def _with_project(tool: Tool, arguments: dict[str, Any] | None, project: str | None) -> dict[str, Any] | None:
    given = arguments or {}
    takes = "project" in tool.properties and "project" not in given
    return {**given, "project": project} if project is not None and takes else arguments


def _as_listed(tool: Tool, *, project: str | None) -> types.Tool:
    schema = tool.input_schema
    if project is not None and "project" in tool.properties:
        schema["required"] = [name for name in schema["required"] if name != "project"]
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=schema,
        annotations=types.ToolAnnotations(
            read_only_hint=tool.reads,
            idempotent_hint=tool.reads or tool.repeatable,
            destructive_hint=tool.name in DESTRUCTIVE,
        ),
    )


def _answer(value: Any, *, is_error: bool = False) -> types.CallToolResult:  # noqa: ANN401  (JSON)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=value, is_error=is_error
    )
