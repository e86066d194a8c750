"""Hints of the services in answers of the API: they speak of calls, and every command that is advised has one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from rest_framework.test import APIClient

from backend.api.errors import as_problem
from backend.api.hints import OPERATORS, as_calls, error_as_calls
from backend.apps.agents.mcp_server.tools import told
from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.services import save_definition, start_execution
from backend.errors import Conflict

ROOT = Path(__file__).resolve().parents[3]
STEP = {"id": "a", "type": "file_generation", "config": {"readme": "# x"}, "condition": "${{ 1 == 2 }}"}
SERVICES = [ROOT / "backend" / "apps", ROOT / "workers"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Let it go on with: repomill resume", "Let it go on with: POST /api/v1/workflows/executions/RUN/resume/"),
        (
            "See which there are: repomill credentials list; or add it: repomill credentials add NAME --host HOST",
            "See which there are: GET /api/v1/credentials/; or add it: POST /api/v1/credentials/",
        ),
        (
            "`repomill projects log PROJECT` lists them; four characters of an id are enough.",
            "GET /api/v1/projects/PROJECT/generated/ lists them; four characters of an id are enough.",
        ),
        (
            "Look whether it happened, then: repomill resolve TASK --done, or --retry",
            'Look whether it happened, then: POST /api/v1/workflows/tasks/TASK/resolve/ with {"outcome": "done"},'
            ' or "retry"',
        ),
        ("Watch it: repomill show --follow", "Watch it: GET /api/v1/workflows/executions/RUN/events/"),
        ("A run's tasks: repomill show RUN --json", "A run's tasks: GET /api/v1/workflows/executions/RUN/tasks/"),
        ("repomill credentials rotate-keys --new-key", "repomill credentials rotate-keys --new-key"),
        ("Read the file again.", "Read the file again."),
        ({"expected": ["repomill executions"], "n": 1}, {"expected": ["GET /api/v1/workflows/executions/"], "n": 1}),
        (None, None),
    ],
)
def test_a_command_becomes_the_call_that_does_the_same(said, expected):
    assert as_calls(said) == expected


def test_an_answer_advises_a_call():
    answer = as_problem(Conflict("No.", hint="Start it once more with: repomill rerun"), {})
    assert answer is not None
    assert answer.data["hint"] == "Start it once more with: POST /api/v1/workflows/executions/RUN/rerun/"


def test_a_stored_error_keeps_its_words_but_for_what_it_advises():
    stored = {"code": "x", "message": "repomill resume is said here", "hint": "repomill resume"}
    shown = error_as_calls(stored)
    assert shown == {**stored, "hint": "POST /api/v1/workflows/executions/RUN/resume/"}
    assert error_as_calls(None) is None


def test_an_agent_is_told_of_tools():
    said = told(Conflict("No.", hint="Let it go on with: repomill resume"), tool="control_run")
    assert said["hint"] == "Let it go on with: control_run with resume"


@pytest.mark.django_db
def test_what_a_refused_control_advises_can_be_done_by_whoever_was_refused():
    user = User.objects.create_user("ada")
    client = APIClient()
    client.force_authenticate(user)
    version = save_definition(check_definition({"name": "empty", "steps": [STEP]}))
    run = start_execution(version=version, inputs={}, user=user)
    assert run.status == "completed"
    answer = client.post(f"/api/v1/workflows/executions/{run.pk}/pause/")
    assert answer.status_code == 409
    assert answer.json()["hint"] == "Start it once more with: POST /api/v1/workflows/executions/RUN/rerun/"


def advice() -> Iterator[tuple[str, str]]:
    """Yield each text of the services that names a command, and where it stands."""
    for path in (path for folder in SERVICES for path in folder.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.JoinedStr | ast.Constant):
                continue
            text = ""
            if isinstance(node, ast.JoinedStr):
                text = "".join(
                    str(p.value) if isinstance(p, ast.Constant) else "some-name" for p in node.values
                )
                    p.value if isinstance(p, ast.Constant) and isinstance(p.value, str) else "some-name"
                    for p in node.values
                )
            elif isinstance(node.value, str) and id(node) not in parts | notes:
                text = node.value
            if "repomill " in text:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def test_every_command_that_the_services_advise_has_its_call():
    said = dict(advice())
    assert len(said) > 20
    left = {where: text for where, text in said.items() if "repomill " in as_calls(text)}
    assert {where: text for where, text in left.items() if not any(command in text for command in OPERATORS)} == {}
