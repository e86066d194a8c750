"""`repomill mcp`: the MCP server on standard input and output, for an agent on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.cli.django_setup import setup_django


def mcp(
    user: Annotated[str | None, typer.Option("--user", "-u", help="In whose name; default: operator.")] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="What tools work on that are not told a project.")
    ] = None,
) -> None:
    """Serve MCP to the agent that starts this command, until it ends the input.

    Over HTTP the same tools are at /mcp of the web process, with the tokens of the REST API.
    """
    setup_django()
    from backend.apps.agents.mcp_server.stdio import serve
    from backend.apps.projects.selectors import project_by_slug_or_id
    from backend.cli.acting_user import acting_user

    owner = acting_user(user)
    target = project_by_slug_or_id(user=owner, reference=project) if project else None
    serve(user_id=owner.pk, project=str(target.pk) if target else None)
