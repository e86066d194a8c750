"""The README's commands, as a person types them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backend.cli.stack.lock import running_stack
from tests.integration.debian import CURL, library_path, unpacked
from tests.integration.installation import ROOT, Installation, NewInstallation
from tests.integration.trees import clone, tree_of

pytestmark = pytest.mark.acceptance

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of one language; "" for those without one."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory):
    found = NewInstallation(tmp_path_factory.mktemp("readme"))
    found.start("--no-flower")
    yield found
    found.stop()


def test_the_commands_of_run_it(installation: Installation):
    wanted = next(block for block in blocks("") if "projects create shop" in block)
    lines = [line.split("#")[0].split() for line in wanted.splitlines() if line.startswith("repomill")]
    assert [line[1] for line in lines] == ["projects", "dry-run", "run", "executions", "show", "doctor"]
    outputs = [installation.cli(*line[1:]) for line in lines]
    assert "README.md" in outputs[1]
    assert "completed" in outputs[2]
    # One run, and not a trace of the dry one.
    assert outputs[3].count("publish-service v1") == 1
    assert "execution completed" in outputs[4]


def test_looking_into_a_project_and_calling_one_method(installation: Installation):
    wanted = next(block for block in blocks("") if "projects log shop" in block)
    lines = [line.split("#")[0].split() for line in wanted.splitlines() if line.startswith("repomill")]
    assert [line[1:3] for line in lines][:2] == [["projects", "log"], ["projects", "diff"]]
    outputs = [installation.cli(*line[1:]) for line in lines]
    assert "README.md" in outputs[1]
    assert "generation.write_file path content [encoding]" in outputs[2]
    assert "generation.write_file completed" in outputs[3]
    # The same key once more: the same task, and nothing is done.
    again = installation.json(*lines[3][1:])
    assert (again["status"], again["attempt"], again["key"]) == ("completed", 1, "note-a")


def test_a_workflow_of_ones_own(installation: Installation, tmp_path: Path):
    definition = tmp_path / "note.yaml"
    definition.write_text(next(block for block in blocks("yaml") if "publish-note" in block))
    line = next(block for block in blocks("") if block.startswith("repomill run note.yaml")).split()
    installation.cli("projects", "create", "notes")
    shown = installation.json("run", str(definition), *["notes" if word == "shop" else word for word in line[3:]])
    tree = tree_of(clone(shown["outputs"]["repository"], tmp_path / "clone"))
    assert tree["notes/first.md"] == b"A note.\n"
    assert tree["README.md"] == b"# first-note\n"

    definition.write_text(definition.read_text().replace("repo_creation", "repo_creatoin"))
    before = len(installation.json("executions"))
    told = installation.cli("run", str(definition), "--input", "name=x", code=3)
    assert "There is no step type 'repo_creatoin'; did you mean 'repo_creation'?" in told
    assert "line 9" in told or "line: 9" in told
    assert "steps[0].type" in told
    assert len(installation.json("executions")) == before


def test_the_python_of_the_readme(installation: Installation, tmp_path: Path):
    definition = tmp_path / "note.yaml"
    definition.write_text(next(block for block in blocks("yaml") if "publish-note" in block))
    code = next(block for block in blocks("python") if "start_execution" in block)
    started = installation.django(
        "from pathlib import Path\n"
        "from backend.apps.authentication.models import User\n"
        "from backend.apps.projects.services.planning import create_project\n"
        "user = User.objects.get(username='operator')\n"
        "project = create_project(user=user, name='From Python')\n"
        + code.replace('Path("note.yaml")', f"Path({str(definition)!r})").replace("first-note", "note-from-python")
        + "\nanswer = str(execution.pk)"
    )
    assert installation.json("show", started, "--follow")["status"] == "completed"


def test_a_program_starts_a_run_over_rest(installation: Installation, tmp_path: Path):
    definition = tmp_path / "note.yaml"
    definition.write_text(next(block for block in blocks("yaml") if "publish-note" in block))
    installation.cli("projects", "create", "rest")
    installation.cli("run", str(definition), "--project", "rest", "--input", "name=note-before", "--follow")
    commands = next(block for block in blocks("") if block.startswith("repomill tokens add"))
    stack = running_stack(installation.data_dir)
    assert stack is not None
    typed = commands.replace("http://127.0.0.1:8000", stack.web_url.rstrip("/")).replace('"shop"', '"rest"')
    done = subprocess.run(
        ["bash", "-euc", f'repomill() {{ "{sys.executable}" -m backend.cli "$@"; }}\n{typed}'],
        cwd=tmp_path,
        env={**installation.environment, **_with_curl(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    started = json.loads(done.stdout)
    assert installation.json("show", started["id"], "--follow")["status"] == "completed"


def _with_curl() -> dict[str, str]:
    """Return the variables with which there is a curl, which a new machine has not."""
    if shutil.which("curl"):
        return {}
    folder = unpacked("curl", CURL)
    return {"PATH": f"{folder / 'usr' / 'bin'}:{os.environ['PATH']}", "LD_LIBRARY_PATH": library_path(folder)}


def test_all_projects_at_once_and_by_the_clock(installation: Installation):
    wanted = next(block for block in blocks("") if block.startswith("repomill bulk start"))
    bulk, schedule = (shlex.split(line, comments=True)[1:] for line in wanted.splitlines())
    assert "completed" in installation.cli(*bulk)
    assert "nightly" in installation.cli(*schedule)
    assert [row["name"] for row in installation.json("schedules", "list") if row["name"] == "nightly"]
