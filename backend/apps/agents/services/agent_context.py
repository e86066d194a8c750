"""What an agent is given to act with: the API, its project's files, deliveries and runs, in its user's name.

Everything it does is checked and recorded in one place (`acting`); what it can do is what its user can do. The methods
ask the database and the disk: call them from a thread, or with `sync_to_async`; `api_caller` alone is asynchronous.
"""

from __future__ import annotations

from functools import cached_property
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from backend.apps.agents.services.acting import Acting, Via
from backend.apps.agents.services.agent_deliveries import AgentDeliveries
from backend.apps.agents.services.agent_files import AgentFiles
from backend.apps.agents.services.agent_runs import AgentRuns
from backend.apps.agents.services.api_caller import AgentAPICaller
from backend.apps.agents.services.tool_definitions import as_tools
from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right
from backend.apps.projects.selectors import role_in, visible_projects

MOST_PROJECTS = 200


class AgentContext:
    """An agent's hands. Use it as `with AgentContext(user=user, project="shop") as agent:`, or `async with`.

    project: the id or slug of the project whose files it works on; rights are asked with each action.
    idempotency_key: of the calls that `api_caller` makes; see there.
    via: the door it came through, for the audit trail.
    """

    def __init__(
        self,
        *,
        user: User,
        project: UUID | str | None = None,
        idempotency_key: str | None = None,
        via: Via = Via.PYTHON,
    ) -> None:
        self.acting = Acting(user=user, via=via, project=project)
        self.files = AgentFiles(self.acting)
        self.deliveries = AgentDeliveries(self.acting)
        self.runs = AgentRuns(self.acting)
        self._key = idempotency_key

    @property
    def user(self) -> User:
        """In whose name the agent acts."""
        return self.acting.user

    @cached_property
    def api_caller(self) -> AgentAPICaller:
        """The caller of the REST API in the user's name, within their grant; made when it is first asked for."""
        return AgentAPICaller(self.user, idempotency_key=self._key)

    def projects(self) -> list[dict[str, Any]]:
        """Return the projects that the user may see, with the user's role in each."""
        with self.acting.anywhere("projects.list", Right.SEE):
            found = visible_projects(user=self.user)[:MOST_PROJECTS]
            return [
                {
                    "id": str(each.pk),
                    "slug": each.slug,
                    "name": each.name,
                    "role": role_in(user=self.user, project=each),
                }
                for each in found
            ]

    async def tools(self) -> list[dict[str, Any]]:
        """Return the API's operations as tool definitions for a model: name, description, JSON Schema of parameters."""
        return as_tools(await self.api_caller.discover_endpoints())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open between actions, but the API's connections, which belong to an event loop."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "api_caller" in self.__dict__:
            await self.api_caller.close()
