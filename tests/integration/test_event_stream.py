"""Event streams of a real web process: many listeners, cut connections, and people who may not listen any more."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.postgresql import NewDatabase
from tests.integration.web_process import WebProcess

pytestmark = [pytest.mark.integration, pytest.mark.both_databases]

LISTENERS = 500
KEY = "the signing key of this test, which is long enough for it"
SETUP = """
from backend.apps.authentication.models import User
from backend.apps.authentication.services.jwt_service import jwt_service
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.services import save_definition, start_execution
steps = [{"id": "a", "type": "file_generation", "config": {"readme": "hi"}}]
version = save_definition(check_definition({"name": "hello", "steps": steps}))
owner, member, stranger = (User.objects.create_user(name) for name in ("owner", "member", "stranger"))
project = Project.objects.create(name="Mill", slug="mill", owner=owner)
ProjectMembership.objects.create(project=project, user=member, role="viewer")
runs = [start_execution(version=version, inputs={}, user=owner, project_id=project.pk) for _ in range(3)]
answer = {user.username: jwt_service.generate_token(user) for user in (owner, member, stranger)}
answer["runs"] = [str(run.pk) for run in runs]
"""
EVENTS = """
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.models import WorkflowExecution
from django.db import transaction
import uuid
for run in {runs!r}:
    with transaction.atomic():
        history = History(uuid.UUID(run))
        for number in range({count}):
            history.add("noted", number=number)
        if {ended!r}:
            WorkflowExecution.objects.filter(pk=run).update(status="completed")
            history.add("execution_completed")
        history.write()
answer = 1
"""


@pytest.fixture(scope="module")
def web(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    url = new_database().get("DATABASE_URL", "")
    process = WebProcess(tmp_path_factory.mktemp("web"), signing_key=KEY, database_url=url)
    yield process
    process.stop()


@pytest.fixture(scope="module")
def world(web: WebProcess) -> dict[str, Any]:
    made: dict[str, Any] = web.django(SETUP)
    return made


def address(web: WebProcess, run: str) -> str:
    return f"{web.origin}/api/v1/workflows/executions/{run}/events/"


def headers(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "text/event-stream", **more}


async def frames(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    frame: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            frame[name] = value.strip()
        else:
            if "event" in frame:
                yield frame
            frame = {}


def client() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(timeout=60, limits=limits, trust_env=False)


def threads_and_sockets(web: WebProcess) -> tuple[int, int]:
    folder = Path(f"/proc/{web.process.pid}")
    return len(list((folder / "task").iterdir())), len(list((folder / "fd").iterdir()))


def test_five_hundred_listeners_see_everything_from_few_threads_and_connections(
    web: WebProcess, world: dict[str, Any]
) -> None:
    first, second, _ = world["runs"]
    arrived: list[list[str]] = [[] for _ in range(LISTENERS)]
    begun = 0

    async def listen(session: httpx.AsyncClient, number: int) -> None:
        nonlocal begun
        run = (first, second)[number % 2]
        async with session.stream("GET", address(web, run), headers=headers(world["owner"])) as response:
            assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            begun += 1
            async for frame in frames(response):
                arrived[number].append(frame.get("id", frame["event"]))

    async def everything() -> tuple[int, int]:
        async with client() as session:
            listening = [asyncio.create_task(listen(session, number)) for number in range(LISTENERS)]
            while begun < LISTENERS:
                await asyncio.sleep(0.05)
                assert not any(task.done() for task in listening)
            counted = threads_and_sockets(web)
            for count, ended in ((5, False), (450, True)):
                code = EVENTS.format(runs=[first, second], count=count, ended=ended)
                await asyncio.to_thread(web.django, code)
            await asyncio.wait_for(asyncio.gather(*listening), 60)
            return counted

    threads, descriptors = asyncio.run(everything())
    assert threads < 60
    # One for each listener; beside them what the process has anyway, and a few connections to the database.
    assert descriptors < LISTENERS + 60
    expected = [str(number) for number in range(1, 2 + 5 + 450 + 2)] + ["end"]
    assert [each for each in arrived if each != expected] == []
    wait_for_few_sockets(web)


def wait_for_few_sockets(web: WebProcess) -> None:
    deadline = time.monotonic() + 10
    while threads_and_sockets(web)[1] > 60:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_listener_goes_on_where_it_was_cut_off(web: WebProcess, world: dict[str, Any]) -> None:
    run = world["runs"][0]

    async def read(stop: int, **more: str) -> list[str]:
        found = []
        asked = headers(world["owner"], **more)
        async with client() as session, session.stream("GET", address(web, run), headers=asked) as response:
            async for frame in frames(response):
                found.append(frame.get("id", frame["event"]))
                if len(found) == stop:
                    break
        return found

    first = asyncio.run(read(300))
    rest = asyncio.run(read(10_000, **{"Last-Event-ID": first[-1]}))
    assert first + rest == [str(number) for number in range(1, len(first + rest))] + ["end"]


@pytest.mark.parametrize(
    ("who", "more", "status", "code"),
    [
        ("stranger", {}, 404, "not_found"),
        ("", {}, 401, "token_not_valid"),
        ("owner", {"Last-Event-ID": "x"}, 400, "invalid_input"),
        ("owner", {"Host": "elsewhere.example"}, 400, "invalid_input"),
    ],
)
def test_who_may_not_listen_gets_a_problem(
    web: WebProcess, world: dict[str, Any], who: str, more: dict[str, str], status: int, code: str
) -> None:
    token = world[who] if who else "nonsense"
    answer = httpx.get(address(web, world["runs"][0]), headers=headers(token, **more), trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (answer.json()["code"], answer.json()["status"]) == (code, status)


def test_json_is_served_at_the_same_address(web: WebProcess, world: dict[str, Any]) -> None:
    token = {"Authorization": f"Bearer {world['member']}"}
    page = httpx.get(address(web, world["runs"][0]) + "?page_size=2", headers=token, trust_env=False).json()
    assert [event["sequence"] for event in page["results"]] == [1, 2]


def test_a_removed_members_stream_ends(web: WebProcess, world: dict[str, Any]) -> None:
    """It is looked every ten seconds, so this test waits so long."""
    run = world["runs"][2]

    async def listen() -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        asked = headers(world["member"])
        async with client() as session, session.stream("GET", address(web, run), headers=asked) as response:
            async for frame in frames(response):
                if not found:
                    code = "from backend.apps.projects.models import ProjectMembership as M\n"
                    await asyncio.to_thread(web.django, code + "answer = M.objects.all().delete()[0]")
                found.append(frame)
        return found

    last = asyncio.run(listen())[-1]
    assert (last["event"], json.loads(last["data"])["code"]) == ("refused", "not_found")
