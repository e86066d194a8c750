"""The guide for agents: its commands and its Python, as somebody new would try them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.integration.installation import ROOT, Installation, NewInstallation

pytestmark = pytest.mark.acceptance

GUIDE = (ROOT / "docs" / "guides" / "agents.md").read_text()


def blocks(language: str) -> list[str]:
    return [
        text for name, text in re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL) if name == language
    ]


def line(beginning: str) -> str:
    (found,) = {each for block in blocks("") for each in block.splitlines() if each.startswith(beginning)}
    return found


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory):
    installation = NewInstallation(tmp_path_factory.mktemp("guide"))
    info = installation.start("--no-flower")
    try:
        yield installation, info.web_url.rstrip("/")
    finally:
        installation.stop()


def example(installation: Installation, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "examples/agent/agent.py", *arguments],
        cwd=ROOT,
        env=installation.environment | variables,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_guide_from_its_beginning_to_its_end(origin: tuple[Installation, str]) -> None:
    installation, url = origin
    installation.cli(*shlex.split(line("repomill projects"))[1:])

    # By stdio: what the guide shows, but for the ids, is what comes out.
    told = example(installation, *shlex.split(line("python examples"))[2:])
    shown = next(block for block in blocks("") if "tools: list_projects" in block)
    assert told.splitlines()[0].startswith(shown.splitlines()[0].removesuffix(" ..."))
    assert told.splitlines()[1:5] == shown.splitlines()[1:5]
    assert re.fullmatch(r"commit [0-9a-f]{12}, 1 file\(s\)", told.splitlines()[5])
    assert re.fullmatch(r"export completed: \d+ bytes, sha256 [0-9a-f]{12}", told.splitlines()[6])

    # By HTTP, with the token that is made there.
    words = shlex.split(line("repomill tokens").partition(">")[0])
    token = installation.cli(*words[1:]).strip()
    assert "REPOMILL_TOKEN=$(cat token) python examples/agent/agent.py studio http://127.0.0.1:8000/mcp" in GUIDE
    assert "export completed" in example(installation, "studio", f"{url}/mcp", REPOMILL_TOKEN=token)

    headers = {"Authorization": f"Bearer {token}"}
    projects = httpx.get(f"{url}/api/v1/projects/", headers=headers, trust_env=False).json()["results"]
    assert [each["slug"] for each in projects] == ["studio"]
    assert "/api/v1/projects/PROJECT_ID/agent-actions/" in GUIDE
    address = f"{url}/api/v1/projects/{projects[0]['id']}/agent-actions/"
    trail = httpx.get(address, headers=headers, trust_env=False).json()["results"]
    row = json.loads(next(block for block in blocks("json") if '"via"' in block))
    assert any(row == {name: each[name] for name in row} for each in trail)


def test_the_python_of_the_guide(origin: tuple[Installation, str]) -> None:
    installation, _ = origin
    code = "\n".join(block for block in blocks("python"))
    answer: Any = installation.django(
        "import asyncio\n"
        "from django.conf import settings\n"
        "from backend.apps.authentication.models import User\n"
        "from backend.apps.projects.models import Project\n"
        "from backend.cli.stack.lock import running_stack\n"
        "settings.BACKEND_URL = running_stack(settings.DATA_DIR).web_url.rstrip('/')\n"
        "user = User.objects.get(username='operator')\n"
        f"{code}\n"
        "project_id = str(Project.objects.get(slug='studio').pk)\n"
        "story, tools = asyncio.run(plan(user, project_id))\n"
        "async def by_tool():\n"
        "    async with AgentContext(user=user) as agent:\n"
        "        operations = await offered(agent.api_caller)\n"
        "        (name,) = [n for n, o in operations.items() if o['path'] == '/api/v1/stories/{story_id}/'"
        " and o['method'] == 'PATCH']\n"
        "        return await called(agent.api_caller, operations, name, {'story_id': story, 'status': 'done'})\n"
        "answer = [state, len(tools), sorted(tools[0]), asyncio.run(by_tool())['status']]"
    )
    assert answer[0] in {"pending", "running", "completed"}
    assert answer[1] > 10
    assert answer[2:] == [["description", "name", "parameters"], "done"]
