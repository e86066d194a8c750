"""The request that a call of our API would be, by the checks that it makes before a byte is sent. It sends none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from backend.apps.agents.services.api_caller import checked_method
from backend.apps.agents.services.connection import as_body
from backend.apps.agents.services.endpoints import PREFIX, resolve
from backend.apps.workflows.definitions.unknown import Unknown, is_known


@dataclass(frozen=True, kw_only=True)
class DryRequest:
    """A request: its method, its whole URL, and its JSON body, which may be an Unknown or have some in it.

    repeatable: whether it carries a key, so that the server does it once however often it is sent.
    """

    method: str
    url: str
    body: Any
    repeatable: bool


def request_of(
    *,
    method: str,
    endpoint: str,
    data: Any = None,  # noqa: ANN401  (JSON)
    params: Mapping[str, Any] | Unknown | None = None,
) -> DryRequest:
    """Return the request that `AgentAPICaller.call` would send with these arguments.

    Raises InvalidEndpoint and InvalidInput as that does, as far as the endpoint is known.
    """
    verb = method if isinstance(method, Unknown) else checked_method(method)
    if is_known(data):
        as_body(data)
    return DryRequest(
        method=verb,
        url=settings.BACKEND_URL + _target(endpoint, params),
        body=data,
        repeatable=verb != "GET",
    )


def _target(endpoint: str, params: Mapping[str, Any] | Unknown | None) -> str:
    if is_known([endpoint, params]):
        return resolve(endpoint, params=params if isinstance(params, Mapping) else None)
    path = endpoint if endpoint.startswith(PREFIX) else PREFIX + endpoint.removeprefix("/")
    if isinstance(params, Unknown):
        return Unknown(f"{path}?{params}")
    query = "&".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in (params or {}).items()
    )
    return Unknown(f"{path}{'&' if '?' in path else '?'}{query}" if query else path)
