"""The convenience methods, on servers of both layouts, and what a server's document tells."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from backend.apps.agents.errors import APIError, InvalidEndpoint
from backend.apps.agents.services import layouts
from backend.apps.agents.services.api_caller import AgentAPICaller
from backend.apps.authentication.models import User
from backend.errors import (
    ConfigurationError,
)
from tests.unit.agents.conftest import Server, Work, run

DOCUMENT: dict[str, Any] = {"openapi": "3.0.3", "paths": {}}
FLAT_DOCUMENT = {"openapi": "3.0.3", "paths": {"/api/v1/projects/stories/": {"post": {"operationId": "create"}}}}


@pytest.mark.parametrize(
    ("work", "method", "path", "body"),
    [
        (
            lambda api: api.create_story("p1", "T", "D", priority="high"),
            "POST",
            "/api/v1/projects/p1/stories/",
            {"project": "p1", "title": "T", "description": "D", "priority": "high"},
        ),
        (lambda api: api.update_story_status("s1", "done"), "PATCH", "/api/v1/stories/s1/", {"status": "done"}),
        (
            lambda api: api.create_sprint("p1", "S", "2026-01-01", "2026-01-14", goal="G"),
            "POST",
            "/api/v1/projects/p1/sprints/",
            {"project": "p1", "name": "S", "start_date": "2026-01-01", "end_date": "2026-01-14", "goal": "G"},
        ),
        (lambda api: api.update_sprint("s1", goal="G"), "PATCH", "/api/v1/sprints/s1/", {"goal": "G"}),
        (lambda api: api.get_project("p1"), "GET", "/api/v1/projects/p1/", None),
        (lambda api: api.list_stories("p1", status="done"), "GET", "/api/v1/projects/p1/stories/?status=done", None),
        (lambda api: api.list_sprints("p1"), "GET", "/api/v1/projects/p1/sprints/", None),
    ],
)
def test_the_convenience_methods(user: User, server: Server, work: Work, method: str, path: str, body: Any) -> None:
    assert run(work, user=user, server=server) == {"ok": True}
    request = server.requests[0]
    assert (request.method, request.url.raw_path.decode()) == (method, path)
    assert (json.loads(request.content) if request.content else None) == body


@pytest.mark.parametrize("identifier", ["..", "../x", "a/b", "", "%2e%2e"])
def test_an_id_stays_one_segment(user: User, server: Server, identifier: str) -> None:
    with pytest.raises(InvalidEndpoint):
        run(lambda api: api.update_story_status(identifier, "done"), user=user, server=server)
    assert server.requests == []


def flat_server(request: httpx.Request) -> httpx.Response:
    """Serves stories beside their projects."""
    if request.url.path == "/api/schema/":
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(FLAT_DOCUMENT).encode()))
    if request.url.path.startswith("/api/v1/projects/stories/"):
        return httpx.Response(201, stream=httpx.ByteStream(b'{"id": "s1"}'))
    return httpx.Response(404, stream=httpx.ByteStream(b'{"detail": "Not found."}'))


def test_the_other_layout_is_found_once(user: User, server: Server) -> None:
    server.answers = [flat_server]

    async def thrice(api: AgentAPICaller) -> None:
        await api.create_story("p1", "T", "D")
        await api.create_story("p1", "T", "D")
        await api.list_stories("p1", page=2)

    run(thrice, user=user, server=server)
    assert [(each.method, each.url.raw_path.decode()) for each in server.requests] == [
        ("POST", "/api/v1/projects/p1/stories/"),
        ("GET", "/api/schema/"),
        ("POST", "/api/v1/projects/stories/"),
        ("POST", "/api/v1/projects/stories/"),
        ("GET", "/api/v1/projects/stories/?page=2&project=p1"),
    ]
    # The number of a call does not depend on what had to be asked before it.
    assert server.keys() == ["task-1:1", None, "task-1:1", "task-1:2", None]


@pytest.mark.parametrize(
    ("paths", "layout"),
    [
        ([], layouts.NESTED),
        (["/api/v1/projects/stories/"], layouts.FLAT),
        (["/api/v1/projects/{project_id}/stories/"], layouts.NESTED),
        # A server with both, as ours with its aliases: the nested one honours idempotency keys.
        (["/api/v1/projects/stories/", "/api/v1/projects/{project_pk}/stories/"], layouts.NESTED),
        (["/projects/stories/", "/api/v1/stories/"], layouts.NESTED),
    ],
)
def test_the_layout_that_a_description_shows(paths: list[str], layout: layouts.Layout) -> None:
    assert layouts.told_by({"path": path} for path in paths) is layout


def test_a_missing_project_stays_missing_and_the_description_is_read_once(user: User, server: Server) -> None:
    def ours(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/schema/":
            return httpx.Response(200, stream=httpx.ByteStream(json.dumps(DOCUMENT).encode()))
        return httpx.Response(404, stream=httpx.ByteStream(b'{"detail": "There is no project."}'))

    server.answers = [ours]
    for _ in range(2):
        with pytest.raises(APIError, match="There is no project"):
            run(lambda api: api.create_story("p1", "T", "D"), user=user, server=server)
    assert [each.url.path for each in server.requests].count("/api/schema/") == 1


def test_a_server_without_a_description_keeps_the_first_answer(user: User, server: Server) -> None:
    server.answers = [httpx.Response(404, json={"detail": "No."})]
    with pytest.raises(APIError, match="404: No"):
        run(lambda api: api.create_story("p1", "T", "D"), user=user, server=server)


@pytest.mark.parametrize(
    ("layout", "path"), [("flat", "/api/v1/projects/stories/s1/"), ("nested", "/api/v1/stories/s1/")]
)
def test_a_setting_fixes_the_layout(user: User, server: Server, settings: Any, layout: str, path: str) -> None:
    settings.AGENT_API_LAYOUT = layout
    server.answers = [httpx.Response(404, json={"detail": "No."})]
    with pytest.raises(APIError):
        run(lambda api: api.update_story_status("s1", "done"), user=user, server=server)
    assert [each.url.path for each in server.requests] == [path]


def test_a_senseless_layout_is_an_error(user: User, server: Server, settings: Any) -> None:
    settings.AGENT_API_LAYOUT = "round"
    with pytest.raises(ConfigurationError, match="AGENT_API_LAYOUT"):
        run(lambda api: api.update_story_status("s1", "done"), user=user, server=server)


def test_endpoints_are_discovered_and_fetched_again_only_when_changed(user: User, server: Server) -> None:
    def described(request: httpx.Request) -> httpx.Response:
        if request.headers.get("If-None-Match") == '"v1"':
            return httpx.Response(304, stream=httpx.ByteStream(b""))
        return httpx.Response(
            200, headers={"ETag": '"v1"'}, stream=httpx.ByteStream(json.dumps(FLAT_DOCUMENT).encode())
        )

    server.answers = [described]
    first = run(lambda api: api.discover_endpoints(), user=user, server=server)
    second = run(lambda api: api.discover_endpoints(), user=user, server=server)
    assert first == second
    assert [each["operation_id"] for each in first] == ["create"]
    assert [each.headers.get("If-None-Match") for each in server.requests] == [None, '"v1"']
