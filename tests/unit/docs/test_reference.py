"""The reference is what the code says now, and leaves nothing out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from backend.api.errors import STATUS_BY_CODE
from backend.apps.workflows.methods import known_methods
from backend.cli.app import COMMANDS
from backend.cli.exit_codes import EXIT_CODES
from backend.config import environment
from backend.config.environment import ROOT
from backend.metrics.catalogue import BY_NAME
from scripts.reference import cli, errors, rest, settings
from scripts.reference.pages import pages
from scripts.reference.tasks import maintenance

FOLDER = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    return pages()


def test_it_is_fresh(rendered: dict[str, str]) -> None:
    stale = [name for name, text in rendered.items() if (FOLDER / name).read_text("utf-8") != text]
    assert not stale, "run `make reference`"
    assert {file.name for file in FOLDER.iterdir()} == set(rendered)


def test_every_variable_that_is_read_is_a_setting_and_every_default_is_told() -> None:
    read = {
        node.args[0].value
        for node in ast.walk(ast.parse(Path(environment.__file__).read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "env"
        and isinstance(node.args[0], ast.Constant)
    }
    told = settings.rows()
    named = {name for names, _ in told for name in re.findall(r"[A-Z][A-Z_]+", names)}
    assert len(read) > 20
    in_files = ("DATABASE_URL", "REDIS_URL", "REPOMILL_BROKER_URL", "REPOMILL_STORAGE_URL")
    assert named == read | {f"{name}{end}" for name in in_files for end in ("", "_FILE")}
    assert not [names for names, text in told if "default" not in text]


def test_every_command_is_there(rendered: dict[str, str]) -> None:
    names = [name for name, _ in cli.commands()]
    assert {name.split()[1] for name in names} == {name for name, _, _ in COMMANDS}
    assert len(names) > 40
    for name in names:
        assert f"\n## {name.removeprefix('repomill ')}\n" in rendered["cli.md"]


def test_every_option_says_what_it_does(rendered: dict[str, str]) -> None:
    assert not re.findall(r"\n\| `[^|]*\|  \|", rendered["cli.md"])


def test_every_operation_is_there(rendered: dict[str, str]) -> None:
    found = list(rest.operations())
    assert len(found) > 80
    for path, method, _ in found:
        assert f"| `{method} {path}` |" in rendered["rest.md"]


def test_every_task_is_there(rendered: dict[str, str]) -> None:
    for name in (*known_methods(), *maintenance()):
        assert f"| `{name}` |" in rendered["tasks.md"]


def test_every_error_code_is_there(rendered: dict[str, str]) -> None:
    written = {
        code
        for package in ("backend", "workers")
        for file in (ROOT / package).rglob("*.py")
        for code in re.findall(r'^    code = "([a-z_]+)"', file.read_text(), re.MULTILINE)
    }
    assert written <= {kind.code for kind in errors.kinds()}
    for code in written | set(STATUS_BY_CODE) | set(EXIT_CODES):
        assert f"| `{code}` |" in rendered["errors.md"]


def test_every_metric_is_there(rendered: dict[str, str]) -> None:
    for name in BY_NAME:
        assert f"| `{name}` |" in rendered["metrics.md"]
