"""The MCP server by both its ways, with the official SDK's own client, on a whole installation."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from tests.integration.installation import ROOT, Installation
from tests.integration.trees import archive_tree, clone, tree_of

pytestmark = pytest.mark.integration

WORKFLOW = """
name: publish-note
description: Publishes a note.
inputs:
  type: object
  required: [name]
  properties: {name: {type: string, pattern: "^[a-z-]+$"}}
steps:
  - id: publish
    type: repo_creation
    config: {host: git, repository_name: "${{ inputs.name }}", structure: {first.md: "A note.\\n"}}
outputs:
  repository: ${{ steps.publish.result.clone_url }}
"""
Session = Callable[[str], Any]
"""Opens a client for a user."""


@pytest.fixture(scope="module")
def shop(running: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The installation with a workflow, and with the users ada (the owner of `shop`), vera (a viewer) and mallory."""
    definition = tmp_path_factory.mktemp("definition") / "note.yaml"
    definition.write_text(WORKFLOW)
    running.cli("run", str(definition), "--project", "demo", "--input", "name=warm-up", "--follow")
    running.django(
        "from backend.apps.authentication.models import User\n"
        "from backend.apps.projects.models import Project, ProjectMembership\n"
        "users = {name: User.objects.create_user(name, password=f'{name}-long-password')"
        " for name in ('ada', 'vera', 'mallory')}\n"
        "shop = Project.objects.create(name='Shop', slug='shop', owner=users['ada'])\n"
        "ProjectMembership.objects.create(project=shop, user=users['vera'], role='viewer')\n"
        "answer = 1"
    )
    return running


def origin(installation: Installation) -> str:
    from backend.cli.stack.lock import running_stack

    info = running_stack(installation.data_dir)
    assert info is not None
    return info.web_url.rstrip("/")


def token_of(installation: Installation, user: str) -> str:
    answer = httpx.post(
        f"{origin(installation)}/api/v1/auth/token/",
        json={"username": user, "password": f"{user}-long-password"},
        trust_env=False,
    )
    token: str = answer.json()["access"]
    return token


@asynccontextmanager
async def by_stdio(installation: Installation, user: str, *options: str) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "backend.cli", "mcp", "--user", user, *options],
        env=installation.environment,
        cwd=str(ROOT),
    )
    async with Client(stdio_client(parameters)) as client:
        yield client


@asynccontextmanager
async def with_token(installation: Installation, token: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(f"{origin(installation)}/mcp", http_client=http)) as client,
    ):
        yield client


@asynccontextmanager
async def by_http(installation: Installation, user: str) -> AsyncIterator[Client]:
    async with with_token(installation, token_of(installation, user)) as client:
        yield client


async def use(client: Client, tool: str, **arguments: Any) -> Any:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.structured_content
    (content,) = answer.content
    assert isinstance(content, TextContent)
    assert json.loads(content.text) == answer.structured_content
    return answer.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error, answer.structured_content
    told: dict[str, Any] = answer.structured_content
    return told


WAYS = pytest.mark.parametrize("way", [by_stdio, by_http], ids=["stdio", "http"])


async def followed(client: Client, run: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    after, events = 0, []
    while True:
        seen = await use(client, "follow_run", run=run, after=after, wait_seconds=20)
        events += seen["events"]
        after = seen["next"]
        if seen["ended"]:
            return seen, events


@WAYS
def test_a_run_is_started_and_followed_to_its_end(shop: Installation, way: Any, tmp_path: Path) -> None:
    name = f"note-{way.__name__.replace('_', '-')}"

    async def story() -> Any:
        async with way(shop, "ada") as client:
            workflows = (await use(client, "list_workflows"))["workflows"]
            started = await use(
                client, "start_run", workflow="publish-note", inputs={"name": name}, project="shop", key=name
            )
            again = await use(
                client, "start_run", workflow="publish-note", inputs={"name": name}, project="shop", key=name
            )
            seen, events = await followed(client, started["run"])
            result = await use(client, "read_run", run=started["run"], step="publish")
            return workflows, started, again, seen, events, result

    workflows, started, again, seen, events, result = asyncio.run(story())
    (known,) = [each for each in workflows if each["workflow"] == "publish-note"]
    assert known["inputs"]["required"] == ["name"]
    assert again == {**started, "replayed": True}
    assert seen["status"] == "completed"
    assert [each["number"] for each in events] == list(range(1, len(events) + 1))
    assert result["result"]["pushed"]
    assert tree_of(clone(seen["outputs"]["repository"], tmp_path / "clone"))["first.md"] == b"A note.\n"


@WAYS
def test_what_a_run_would_do_is_looked_at_first(shop: Installation, way: Any) -> None:
    asked: dict[str, Any] = {"workflow": "publish-note", "inputs": {"name": "looked-at"}, "project": "shop"}

    async def story() -> Any:
        async with way(shop, "ada") as client:
            short = await use(client, "dry_run", **asked)
            whole = await use(client, "dry_run", **asked, contents=True)
            wrong = await refused(client, "dry_run", **{**asked, "inputs": {"name": "BAD"}})
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        async with way(shop, "vera") as client:
            return short, whole, wrong, tools["dry_run"], await refused(client, "dry_run", **asked)

    short, whole, wrong, tool, viewer = asyncio.run(story())
    kinds = [effect["kind"] for step in short["steps"] for effect in step["effects"]]
    assert (short["outcome"], short["project"], kinds[0], kinds[-1]) == ("completed", "shop", "generates", "pushes")
    files = {each["path"]: each for each in whole["files"]["files"]}
    assert {"content", "diff"} < set(files["first.md"])
    assert not [each for each in short["files"]["files"] if "content" in each]
    assert (wrong["code"], wrong["field"], viewer["code"]) == ("invalid_input", "inputs.name", "permission_denied")
    assert tool.annotations.read_only_hint
    begun = shop.django(
        "from backend.apps.workflows.models import WorkflowExecution\n"
        "answer = WorkflowExecution.objects.filter(input_data__name='looked-at').count()"
    )
    assert begun == 0


@WAYS
def test_files_are_written_and_delivered(shop: Installation, way: Any, tmp_path: Path) -> None:
    folder = way.__name__

    async def story() -> Any:
        async with way(shop, "ada") as client:
            await use(
                client,
                "write_files",
                project="shop",
                files=[
                    {"path": f"{folder}/main.py", "content": "print('hi')\n", "executable": True},
                    {"path": f"{folder}/logo.png", "content": "AP8=", "encoding": "base64"},
                    {"path": f"{folder}/gone.txt", "content": "x"},
                ],
            )
            await use(client, "delete_files", project="shop", paths=[f"{folder}/gone.txt"])
            listed = await use(client, "list_files", project="shop", below=folder)
            read = await use(client, "read_file", project="shop", path=f"{folder}/main.py")
            diff = await use(client, "diff_files", project="shop")
            made = await use(client, "commit_files", project="shop")
            package = await use(client, "package_project", project="shop", format="tar.gz")
            packaged = await use(client, "read_task", task=package["task"])
            pushing = await use(client, "export_project", project="shop", to="git", repository_name=f"shop-{folder}")
            pushed = await use(client, "read_task", task=pushing["task"])
            zipping = await use(client, "export_project", project="shop", to="zip")
            zipped = await use(client, "read_task", task=zipping["task"])
            link = await use(client, "download_link", export=zipped["result"]["export"], seconds=600)
            no_link = await refused(client, "download_link", export=pushed["result"]["export"])
            assert no_link["code"] == "export_not_ready"
            return listed, read, diff, made, packaged, pushed, link

    listed, read, diff, made, packaged, pushed, link = asyncio.run(story())
    assert [each["path"] for each in listed["files"]] == [f"{folder}/logo.png", f"{folder}/main.py"]
    assert read["content"] == "print('hi')\n"
    assert "+print('hi')" in diff["patch"]
    assert (packaged["status"], packaged["result"]["commit"]) == ("completed", made["commit"])
    assert archive_tree(Path(packaged["result"]["path"]))[f"{folder}/logo.png"] == b"\0\xff"
    downloaded = tmp_path / "downloaded.zip"
    address = origin(shop) + link["url"][link["url"].index("/", len("https://")) :]
    downloaded.write_bytes(httpx.get(address, trust_env=False).raise_for_status().content)
    assert archive_tree(downloaded)[f"{folder}/main.py"] == b"print('hi')\n"
    assert (pushed["status"], pushed["result"]["commit"]) == ("completed", made["commit"])
    assert tree_of(clone(pushed["result"]["clone_url"], tmp_path / "c"))[f"{folder}/main.py"] == b"print('hi')\n"


@WAYS
def test_tools_describe_themselves(shop: Installation, way: Any) -> None:
    async def story() -> Any:
        async with way(shop, "ada") as client:
            return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in asyncio.run(story())}
    assert len(tools) == 18
    assert all(tool.description and tool.input_schema["type"] == "object" for tool in tools.values())
    assert tools["read_file"].annotations.read_only_hint
    assert tools["delete_files"].annotations.destructive_hint
    # No tool has a place for a literal token.
    names = {name for tool in tools.values() for name in tool.input_schema["properties"]}
    assert not [name for name in names if "token" in name or "password" in name]


@WAYS
def test_errors_have_our_codes_and_hints(shop: Installation, way: Any) -> None:
    async def story() -> Any:
        async with way(shop, "ada") as client:
            with pytest.raises(MCPError, match="no tool 'nothing'"):
                await client.call_tool("nothing", {})
            return [
                await refused(client, "write_files", project="shop", files=[{"path": "../x", "content": "x"}]),
                await refused(client, "start_run", workflow="publish-note", inputs={"name": "BAD"}, project="shop"),
                await refused(client, "start_run", workflow="publish-note", inputs=7),
                await refused(client, "read_file", project="shop", path="a", more=1),
                await refused(client, "export_project", project="shop", to="github", github_token="ghp_x"),
                await refused(client, "export_project", project="shop", to="github", repository_name="r"),
            ]

    errors = asyncio.run(story())
    assert [error["code"] for error in errors] == ["invalid_path", *["invalid_input"] * 5]
    assert errors[1]["field"] == "inputs.name"
    assert errors[2]["field"] == "inputs"
    assert "credential" in errors[5]["hint"]
    assert all(error["message"] for error in errors)


@WAYS
def test_rights_are_the_users(shop: Installation, way: Any) -> None:
    async def owner() -> Any:
        async with way(shop, "ada") as client:
            await use(client, "write_files", project="shop", files=[{"path": "kept.txt", "content": "k"}])
            run = await use(client, "start_run", workflow="publish-note", inputs={"name": "mine"}, project="shop")
            await followed(client, run["run"])
            return run["run"]

    async def viewer(run: str) -> Any:
        async with way(shop, "vera") as client:
            projects = (await use(client, "list_projects"))["projects"]
            assert [(each["slug"], each["role"]) for each in projects] == [("shop", "viewer")]
            assert (await use(client, "read_file", project="shop", path="kept.txt"))["content"] == "k"
            assert (await use(client, "read_run", run=run))["status"] == "completed"
            return [
                await refused(client, "write_files", project="shop", files=[{"path": "b.txt", "content": "b"}]),
                await refused(client, "delete_files", project="shop", paths=["kept.txt"]),
                await refused(client, "export_project", project="shop", to="zip"),
                await refused(client, "start_run", workflow="publish-note", inputs={"name": "x"}, project="shop"),
                await refused(client, "control_run", run=run, action="cancel"),
            ]

    async def stranger(run: str) -> Any:
        async with way(shop, "mallory") as client:
            assert (await use(client, "list_projects"))["projects"] == []
            return [
                await refused(client, "read_file", project="shop", path="kept.txt"),
                await refused(client, "list_files", project="shop"),
                await refused(client, "start_run", workflow="publish-note", inputs={"name": "x"}, project="shop"),
                await refused(client, "follow_run", run=run),
                await refused(client, "control_run", run=run, action="cancel"),
            ]

    run = asyncio.run(owner())
    assert {error["code"] for error in asyncio.run(viewer(run))} == {"permission_denied"}
    assert {error["code"] for error in asyncio.run(stranger(run))} == {"not_found"}


def test_a_project_can_be_given_with_the_command(shop: Installation) -> None:
    async def story() -> Any:
        async with by_stdio(shop, "ada", "--project", "shop") as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert tools["read_file"].input_schema["required"] == ["path"]
            await use(client, "write_files", files=[{"path": "told.txt", "content": "t"}])
            return await use(client, "read_file", path="told.txt")

    assert asyncio.run(story())["content"] == "t"
    assert "There is no user 'nobody'" in shop.cli("mcp", "--user", "nobody", code=4)
    assert "There is no project 'shop'" in shop.cli("mcp", "--user", "mallory", "--project", "shop", code=4)


def test_the_trail_says_what_was_done_by_which_door(shop: Installation) -> None:
    async def story() -> None:
        for way in (by_stdio, by_http):
            async with way(shop, "ada") as client:
                await use(client, "write_files", project="shop", files=[{"path": "seen.txt", "content": "c4n4ry"}])

    asyncio.run(story())
    rows = shop.django(
        "from backend.apps.agents.models import AgentAction\n"
        "rows = AgentAction.objects.filter(about__paths=['seen.txt']).order_by('created_at')\n"
        "answer = [[r.user.username, r.via, r.action, r.project_name, r.status] for r in rows]"
    )
    assert rows == [["ada", via, "files.write", "shop", "done"] for via in ("mcp-stdio", "mcp-http")]


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


def post(shop: Installation, **headers: str) -> httpx.Response:
    sent = {"Accept": "application/json, text/event-stream", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return httpx.post(f"{origin(shop)}/mcp", json=INITIALIZE, headers=sent, trust_env=False)


def test_who_is_not_let_in_by_http(shop: Installation) -> None:
    good = f"Bearer {token_of(shop, 'ada')}"
    assert post(shop, Authorization=good).json()["result"]["serverInfo"]["name"] == "repomill"
    nobody = post(shop)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "not_authenticated")
    assert nobody.headers["WWW-Authenticate"].startswith("Bearer")
    assert post(shop, Authorization="Bearer nonsense").status_code == 401
    rebound = post(shop, Authorization=good, Host="evil.example")
    assert (rebound.status_code, rebound.json()["code"]) == (421, "misdirected")
    for foreign in ("https://evil.example", "null", "http://127.0.0.1.evil.example"):
        assert post(shop, Authorization=good, Origin=foreign).status_code == 403
    assert post(shop, Authorization=good, Origin=origin(shop)).status_code == 200
    with httpx.Client(base_url=origin(shop), trust_env=False, headers={"Authorization": good}) as client:
        assert [client.request(verb, "/mcp").status_code for verb in ("GET", "DELETE", "PUT")] == [405] * 3
        large = client.post("/mcp", content=b" " * (16 * 1024 * 1024 + 1), headers={"Content-Type": "application/json"})
        assert large.status_code == 413
        assert client.get("/mcpx").status_code == 404
        assert client.get("/healthz").status_code == 200


def test_a_service_token_is_good_for_its_scopes(shop: Installation) -> None:
    made = shop.json("tokens", "add", "agent", "--user", "ada")

    async def story() -> Any:
        async with with_token(shop, made["token"]) as client:
            await use(client, "list_files", project="shop")
            return [
                await refused(client, "write_files", project="shop", files=[{"path": "x.txt", "content": "x"}]),
                await refused(client, "start_run", workflow="publish-note", inputs={"name": "x"}, project="shop"),
            ]

    errors = asyncio.run(story())
    assert [error["code"] for error in errors] == ["permission_denied"] * 2
    assert "scope" in errors[0]["message"]
