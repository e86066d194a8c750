"""The tutorial's workflow and commands, as a newcomer types them; and the code of the guide of step types."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from backend.apps.workflows import step_types
from backend.apps.workflows.definitions.schema import check
from tests.integration.installation import ROOT, NewInstallation
from tests.integration.trees import clone, tree_of

pytestmark = pytest.mark.acceptance
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """Return a page's code blocks of one language; "" for those without one."""
    return [text for name, text in FENCED.findall((ROOT / "docs" / page).read_text()) if name == language]


def test_from_a_workflow_to_a_published_project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    (tmp_path / "note.yaml").write_text(blocks("tutorial.md", "yaml")[0])
    typed = [line for block in blocks("tutorial.md", "") for line in block.splitlines() if line.startswith("repomill ")]
    # A token of somebody's own is needed for the rest.
    typed = [line for line in typed if "credentials" not in line]
    assert [shlex.split(line)[1] for line in typed] == ["doctor", "projects", "run", "executions", "show"]
    installation = NewInstallation(tmp_path_factory.mktemp("tutorial"))
    try:
        installation.start("--no-flower")
        # Without Flower there is one thing that doctor may miss; its own tests say what it finds.
        for line in typed[1:]:
            words = [str(tmp_path / word) if word == "note.yaml" else word for word in shlex.split(line)[1:]]
            installation.cli(*words)
        tree = tree_of(clone(installation.show("last")["outputs"]["repository"], tmp_path / "clone"))
        assert tree["notes/first.md"] == b"A note.\n"
        command = ("run", str(tmp_path / "note.yaml"), "--project", "shop", "--input")
        assert "name" in installation.cli(*command, "name=First", code=3)
    finally:
        installation.stop()


def test_the_page_of_targets_that_the_tutorial_names_are_there() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"^make ([a-z]+)$", (ROOT / "docs" / "tutorial.md").read_text(), re.MULTILINE)
    assert named == ["demo", "up"]
    assert set(named) <= set(targets)


def test_the_step_type_of_the_guide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_types, "_registered", dict(step_types._registered))
    (code,) = blocks("guides/step-types.md", "python")
    made: dict[str, Any] = {}
    exec(code, made)
    page = step_types.register(made["PAGE"])
    config = {"name": "hello", "text": "# Hello"}
    assert check(config, page.config_schema) is None
    assert check({"name": "hello"}, page.config_schema) is not None
    assert [link.method for link in page.links(config)] == [
        "generation.generate",
        "generation.package_project",
        "export.export_to_git",
    ]
    assert page.result([{}, {"path": "a.zip"}, {"clone_url": "u"}]) == {"repository": "u", "archive": "a.zip"}
