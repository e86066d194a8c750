"""`repomill dry-run` as it is read in a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.cli.app import main
from backend.cli.stack.lock import stack_lock

pytestmark = pytest.mark.django_db

LONG = "a-name-that-alone-is-longer-than-a-narrow-terminal-is-wide.md"
WORKFLOW = f"""\
name: wide
steps:
  - id: story
    type: api_call
    config: {{method: POST, endpoint: "/projects/", data: {{name: "{"word " * 30}the end"}}}}
  - id: files
    type: file_generation
    config: {{structure: {{{LONG}: "text", b.md: "b"}}}}
"""


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    project = Project.objects.create(owner=User.objects.create_superuser("operator"), name="Shop", slug="shop")
    assert project.slug == "shop"
    file = tmp_path / "wide.yaml"
    file.write_text(WORKFLOW)
    return file


def shown(capsys: pytest.CaptureFixture[str], definition: Path) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["dry-run", str(definition), "--project", "shop"])
    assert not ended.value.code
    return capsys.readouterr().out


def test_nothing_is_cut_in_a_narrow_terminal(
    definition: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    told = shown(capsys, definition)
    assert 'the end"}' in told
    assert LONG in "".join(line.strip("│├└─+ ") for line in told.splitlines())


def test_a_run_that_would_fail_for_want_of_a_project_is_not_said_to_complete(
    definition: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dry-run", str(definition)])
    told = capsys.readouterr().out
    assert ended.value.code == 1
    assert "A run would fail at files: No project is given" in told
    assert "b.md" in told
    assert "would complete" not in told


@pytest.mark.parametrize(
    ("given", "asked"),
    [("", "http://127.0.0.1:8731"), ("https://repomill.example.org", "https://repomill.example.org")],
)
def test_a_request_goes_to_the_port_that_the_stack_was_given(
    definition: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    asked: str,
) -> None:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    monkeypatch.setattr(settings, "BACKEND_URL", given or "http://127.0.0.1:8000")
    monkeypatch.setenv("BACKEND_URL", given)
    with stack_lock(tmp_path) as lock:
        lock.publish(web_url="http://127.0.0.1:8731")
        assert f"POST {asked}/api/v1/projects/" in shown(capsys, definition)
