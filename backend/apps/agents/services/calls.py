"""The synchronous door to AgentAPICaller, for workers, the command line and the shell.

It may not be used inside an event loop; use AgentAPICaller itself there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

from backend.apps.agents.services.answers import Json
from backend.apps.agents.services.api_caller import AgentAPICaller
from backend.apps.agents.services.endpoints import Params
from backend.apps.authentication.models import User

T = TypeVar("T")


def run(
    work: Callable[[AgentAPICaller], Awaitable[T]],
    *,
    user: User,
    idempotency_key: str | None,
    taken_over: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
) -> T:
    """Do something with a caller and return what it returns: `run(lambda api: api.create_story(...), user=..., ...)`.

    The caller is built with the arguments of these names and closed afterwards. Raises what the work raises, and
    PermissionRefused when the user's account is not active.
    """
    # Built here and not in the loop: the user is checked over this thread's own database connection.
    caller = AgentAPICaller(user, idempotency_key=idempotency_key, taken_over=taken_over, transport=transport)

    async def use() -> T:
        async with caller:
            return await work(caller)

    return asyncio.run(use())


def run_call(
    *,
    user: User,
    idempotency_key: str | None,
    method: str,
    endpoint: str,
    data: Json = None,
    params: Params | None = None,
) -> Json:
    """Make one call; see AgentAPICaller.call."""
    return run(lambda api: api.call(method, endpoint, data, params), user=user, idempotency_key=idempotency_key)
