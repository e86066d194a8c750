"""Calls our own REST API in a user's name: what agents and workflow steps of the type `api_call` use.

It can do what the user can do over HTTP, and no more. It stores nothing and knows no workflow.
"""

from __future__ import annotations

import itertools
import re
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
from django.conf import settings

from backend.apps.agents.errors import APIError
from backend.apps.agents.services import blips, layouts, openapi
from backend.apps.agents.services.answers import Json
from backend.apps.agents.services.connection import Connection, Outgoing, as_body
from backend.apps.agents.services.endpoints import Params, resolve
from backend.apps.agents.services.layouts import Layout, Place
from backend.apps.agents.services.user_token import UserToken
from backend.apps.authentication.models import User
from backend.errors import ConfigurationError, InvalidInput

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
LONGEST_KEY = 240
"""Characters of an idempotency key; the rest of a header's 255 is for the number of the call."""

_KEY = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_KEY}}}\Z")

# One per process: what a server offers, by its document's address, with the ETag to ask by; and its layout, once known.
_documents: dict[str, tuple[str | None, list[dict[str, Any]]]] = {}
_known_layouts: dict[str, Layout] = {}


class AgentAPICaller:
    """Calls the API at BACKEND_URL as one user. Use it as `async with AgentAPICaller(user) as api:`.

    idempotency_key: names the work that the calls belong to. The n-th unsafe call of this caller carries
    `<idempotency_key>:<n>`: work that is repeated with the same key makes nothing twice, and two calls of it differ.
    Without it each unsafe call carries a random key, which still covers its own retries.
    taken_over: whether an earlier attempt at this work died with its worker, so that its requests may have been sent. A
    POST to a server without idempotency keys is then not sent once more: it is in doubt.
    transport: what sends the requests; httpx's own by default.

    Raises PermissionRefused when the user's account is not active: here, or at the first call when it is built inside
    an event loop, where the database cannot be asked.
    """

    def __init__(
        self,
        user: User,
        *,
        idempotency_key: str | None = None,
        taken_over: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if idempotency_key is not None and not _KEY.match(idempotency_key):
            raise InvalidInput(
                f"An idempotency key is 1 to {LONGEST_KEY} printable ASCII characters without spaces.",
                field="idempotency_key",
            )
        self.user = user
        self.base_url: str = settings.BACKEND_URL
        self._key = idempotency_key
        self._taken_over = taken_over
        self._numbers = itertools.count(1)
        self._connection = Connection(origin=self.base_url, token=UserToken(user=user), transport=transport)

    @property
    def client(self) -> httpx.AsyncClient:
        """The HTTP client; it holds no token."""
        return self._connection.client

    async def call(self, method: str, endpoint: str, data: Json = None, params: Params | None = None) -> Json:
        """Call an endpoint and return the answer's JSON value as it is: an object, an array, ...; {} for an empty body.

        method: GET, POST, PUT, PATCH or DELETE, in either case.
        endpoint: a path below /api/v1/, with or without that prefix; it may have a query.
        data: the JSON body. params: the query, added to the endpoint's own.

        Blips of seconds are tried again here. Raises InvalidEndpoint or InvalidInput before anything is sent; APIError
        with the server's status and words; RateLimited and RemoteUnreachable, which are retryable; InDoubt when the
        answer to a POST was lost and the server does not honour idempotency keys.
        """
        return await self._send(method, endpoint, data=data, params=params, key=self._next_key(method))

    async def create_story(self, project_id: str, title: str, description: str, **kwargs: Json) -> Json:
        """Create a story in a project; further fields by name. Returns the story."""
        data = {"project": str(project_id), "title": title, "description": description, **kwargs}
        return await self._at(Place.STORIES, project_id, method="POST", data=data)

    async def update_story_status(self, story_id: str, status: str) -> Json:
        """Set a story's status. Returns the story."""
        return await self._at(Place.STORY, story_id, method="PATCH", data={"status": status})

    async def create_sprint(self, project_id: str, name: str, start_date: str, end_date: str, **kwargs: Json) -> Json:
        """Create a sprint in a project; dates as YYYY-MM-DD, further fields by name. Returns the sprint."""
        data = {"project": str(project_id), "name": name, "start_date": start_date, "end_date": end_date, **kwargs}
        return await self._at(Place.SPRINTS, project_id, method="POST", data=data)

    async def update_sprint(self, sprint_id: str, **fields: Json) -> Json:
        """Change fields of a sprint. Returns the sprint."""
        return await self._at(Place.SPRINT, sprint_id, method="PATCH", data=fields)

    async def get_project(self, project_id: str) -> Json:
        """Return a project."""
        return await self.call("GET", f"/projects/{layouts.as_segment(project_id)}/")

    async def list_stories(self, project_id: str, **filters: Json) -> Json:
        """Return a page of a project's stories; `page`, `page_size` and filters by name."""
        return await self._at(Place.STORIES, project_id, method="GET", params=filters)

    async def list_sprints(self, project_id: str, **filters: Json) -> Json:
        """Return a page of a project's sprints; `page`, `page_size` and filters by name."""
        return await self._at(Place.SPRINTS, project_id, method="GET", params=filters)

    async def discover_endpoints(self) -> list[dict[str, Any]]:
        """Return each operation of the API: its operation_id, method, path, summary, parameters and body_schema.

        It is read from the OpenAPI document at OPENAPI_PATH, which is fetched again only when it has changed.
        """
        address = self.base_url + settings.OPENAPI_PATH
        etag, known = _documents.get(address, (None, []))
        answer = await self._connection.send(Outgoing(method="GET", target=settings.OPENAPI_PATH, etag=etag))
        if answer.value is not None:
            known = openapi.operations(answer.value)
            _documents[address] = (answer.etag, known)
        return known

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _at(
        self,
        place: Place,
        identifier: object,
        *,
        method: str,
        data: Json = None,
        params: dict[str, Any] | None = None,
    ) -> Json:
        key = self._next_key(method)

        async def attempt(layout: Layout) -> Json:
            query = dict(params or {})
            if layout.project_in_query and method == "GET":
                query["project"] = str(identifier)
            return await self._send(
                method, layout.path(place, identifier), data=data, params=query, key=key, layout=layout
            )

        fixed = _fixed_layout() or _known_layouts.get(self.base_url)
        try:
            return await attempt(fixed or layouts.NESTED)
        except APIError as error:
            if fixed or error.status_code not in {404, 405}:
                raise
            layout = await self._find_layout()
            if layout is layouts.NESTED:
                raise
        return await attempt(layout)

    async def _find_layout(self) -> Layout:
        """Ask the server's description; a server without one keeps the specification's layout for now."""
        try:
            layout = layouts.told_by(await self.discover_endpoints())
        except APIError:
            return layouts.NESTED
        _known_layouts[self.base_url] = layout
        return layout

    async def _send(
        self,
        method: str,
        endpoint: str,
        *,
        data: Json,
        params: Params | None,
        key: str | None,
        layout: Layout = layouts.NESTED,
    ) -> Json:
        honoured = settings.AGENT_API_HONOURS_KEYS and layout is layouts.NESTED
        verb = checked_method(method)
        outgoing = Outgoing(
            method=verb,
            target=resolve(endpoint, params=params),
            body=as_body(data),
            key=key,
            repeatable=verb != "POST" or honoured,
        )
        if self._taken_over and not outgoing.repeatable:
            raise blips.in_doubt("its worker died")
        return (await self._connection.send(outgoing)).value

    def _next_key(self, method: str) -> str | None:
        """Return the key of the next unsafe call; it is counted when the call begins, so a repeat counts alike."""
        if checked_method(method) == "GET":
            return None
        return f"{self._key}:{next(self._numbers)}" if self._key else str(uuid4())


def forget_what_servers_offer() -> None:
    """Empty this process' memory of OpenAPI documents and layouts."""
    _documents.clear()
    _known_layouts.clear()


def checked_method(method: str) -> str:
    """Return the method in capitals. Raises InvalidInput for another than METHODS."""
    verb = method.upper() if isinstance(method, str) and method.isascii() else ""
    if verb not in METHODS:
        raise InvalidInput(
            f"The method {str(method)[:40]!r} is not allowed.",
            field="method",
            expected=sorted(METHODS),
            hint=f"Use one of {', '.join(sorted(METHODS))}.",
        )
    return verb


def _fixed_layout() -> Layout | None:
    name = settings.AGENT_API_LAYOUT
    if name == "auto":
        return None
    if name not in layouts.BY_NAME:
        raise ConfigurationError(
            f"AGENT_API_LAYOUT must be auto, {' or '.join(layouts.BY_NAME)}, not {name!r}.", field="AGENT_API_LAYOUT"
        )
    return layouts.BY_NAME[name]
