"""An agent without a model: it asks which tools there are, writes a file, commits it, and has an archive made.

    python examples/agent/agent.py PROJECT                              starts `repomill mcp` as its child
    python examples/agent/agent.py PROJECT http://127.0.0.1:8000/mcp    over HTTP; the token is read from REPOMILL_TOKEN

With a model in its place, `list_tools` is what the model is given, and `call_tool` what is done with its answers.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client


@asynccontextmanager
async def connected(url: str | None) -> AsyncIterator[Client]:
    """Give a client of Repomill."""
    if url is None:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "backend.cli", "mcp"],
            env={name: value for name, value in os.environ.items() if name.startswith("REPOMILL_")},
        )
        async with Client(stdio_client(server)) as client:
            yield client
        return
    headers = {"Authorization": f"Bearer {os.environ['REPOMILL_TOKEN']}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


class Refused(Exception):
    """A tool has refused; the text is its message and hint."""


async def use(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """Call a tool. Raises Refused."""
    answer = await client.call_tool(tool, arguments)
    told: dict[str, Any] = answer.structured_content
    if answer.is_error:
        raise Refused(f"{tool}: {told['message']} {told.get('hint', '')}")
    return told


async def work(client: Client, project: str) -> None:
    tools = (await client.list_tools()).tools
    print(f"{len(tools)} tools: {', '.join(tool.name for tool in tools)}")
    await use(client, "write_files", project=project, files=[{"path": "agent.md", "content": "Written by an agent.\n"}])
    print((await use(client, "diff_files", project=project))["patch"], end="")
    made = await use(client, "commit_files", project=project)
    print(f"commit {made['commit'][:12]}, {made['total_files']} file(s)")
    asked = await use(client, "export_project", project=project, to="zip", key=f"zip-{made['commit']}")
    task = await use(client, "read_task", task=asked["task"])
    print(f"export {task['status']}: {task['result']['size']} bytes, sha256 {task['result']['digest'][:12]}")


async def main(project: str, url: str | None) -> str | None:
    """Return what went wrong, None where nothing did."""
    async with connected(url) as client:
        try:
            await work(client, project)
        except Refused as refused:
            return str(refused)
    return None


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)))
