"""Arguments of the wrong kind, as a task's JSON may have them: each is refused by its name, and nothing is done."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backend.apps.projects.hosts.api_session import ApiSession
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.projects.services.workspace import Workspace
from backend.errors import InvalidInput
from tests.commits import commit_all
from tests.unit.projects.test_corpus_git import WHEN

ODD: list[Any] = [5, 1.5, True, [], ["x"], [5], {}, {"a": 1}, None]
# What is left out may be None, and these take one of the others.
FITS: dict[str, list[Any]] = {
    "private": [True],
    "topics": [[], ["x"]],
    "patterns": [[], ["x"]],
    "structure": [{}],
    "context": [{}, {"a": 1}],
}
# Not JSON's, or of no use without the others.
ELSEWHERE = {"credential_file", "username", "limits"}


@pytest.fixture
def exporter(settings, tmp_path: Path, monkeypatch) -> RepositoryExporter:
    for name in ("GIT_STORES_DIR", "GENERATED_PROJECTS_DIR", "ARCHIVES_DIR", "LOCAL_REPOSITORIES_DIR"):
        setattr(settings, name, tmp_path / name)

    settings.PROJECT_TEMPLATES_DIR = tmp_path / "templates"
    settings.PROJECT_TEMPLATES_DIR.mkdir()
    (settings.PROJECT_TEMPLATES_DIR / "t").write_text("x")

    def asked(*arguments: Any, **_: Any) -> None:
        raise AssertionError(f"the host was asked: {arguments}")

    monkeypatch.setattr(ApiSession, "send", asked)
    return RepositoryExporter(str(uuid4()))


def committed(exporter: RepositoryExporter, tmp_path: Path) -> str:
    workspace = Workspace(tmp_path / "w")
    workspace.write("a.txt", b"1")
    store = GitStore.for_project(exporter.project_id)
    return commit_all(store, workspace, message="x", parent=None, when=WHEN).commit


HOST = {"base_url": "http://localhost:9"}
METHODS: dict[str, dict[str, Any]] = {
    "export_to_github": {"github_token": "a-token", "repository_name": "r", **HOST},
    "export_to_gitlab": {"gitlab_token": "a-token", "project_name": "r", **HOST},
    "export_to_git": {"repository_name": "made"},
    "create_directory": {"path": "a"},
    "write_file": {"path": "a", "content": "b"},
    "generate_project_structure": {"structure": {}},
    "generate_from_template": {"template_path": "t", "output_path": "o", "context": {}},
    "create_gitignore": {"patterns": []},
    "create_readme": {"content": "x"},
    "package_project": {"format": "zip"},
}


@pytest.mark.parametrize("method", METHODS)
def test_each_is_refused_and_nothing_is_done(exporter, tmp_path, settings, method):
    service: Any = exporter if method.startswith("export") else exporter.generator
    given = METHODS[method]
    if method.startswith("export"):
        given = {**given, "commit": committed(exporter, tmp_path)}
    parameters = inspect.signature(getattr(service, method)).parameters
    for name in parameters.keys() - ELSEWHERE:
        optional = parameters[name].default is None or (method == "export_to_git" and name == "repository_name")
        for odd in ODD:
            if (odd is None and optional) or any(type(odd) is type(fit) and odd == fit for fit in FITS.get(name, [])):
                continue
            arguments = {**given, name: odd}
            if method == "export_to_git" and name in {"url", "token"}:
                arguments = {**arguments, "repository_name": None, "url": "http://localhost:9/r", name: odd}
            with pytest.raises(InvalidInput) as refused:
                getattr(service, method)(**arguments)
            assert refused.value.place, (name, odd)
            assert not list(service.workspace.entries() if isinstance(service, ProjectGenerator) else ())
    assert not settings.LOCAL_REPOSITORIES_DIR.exists()
    assert not settings.ARCHIVES_DIR.exists()


def test_a_commit_that_is_not_there_makes_no_repository(exporter, settings):
    for method, given in METHODS.items():
        if method.startswith("export"):
            for commit in ("0" * 40, "main", ""):
                with pytest.raises(InvalidInput, match="no commit"):
                    getattr(exporter, method)(**given, commit=commit)
    assert not settings.LOCAL_REPOSITORIES_DIR.exists()
