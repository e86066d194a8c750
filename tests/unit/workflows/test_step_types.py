"""The registry, and the step types that come with Repomill."""

import pytest

from backend.apps.workflows import step_types
from backend.apps.workflows.definitions.schema import check
from backend.apps.workflows.step_types import Link, StepType, register, register_installed
from backend.errors import ConfigurationError, InvalidInput


def links(name, config):
    step_type = step_types.get(name)
    assert step_type is not None
    assert check(config, step_type.config_schema) is None
    return step_type.links(config)


def test_two_step_types_cannot_share_a_name():
    with pytest.raises(ConfigurationError):
        register(StepType("api_call", {}, lambda config: []))


def test_other_packages_bring_theirs_by_entry_point(monkeypatch):
    brought = StepType("brought", {}, lambda config: [])
    entry = type("Entry", (), {"load": lambda self: brought})()
    monkeypatch.setattr(step_types, "entry_points", lambda group: [entry] if group == "repomill.step_types" else [])
    register_installed()
    assert step_types.get("brought") is brought
    assert "brought" in step_types.names()


def test_repo_creation_is_the_chain_generate_package_push():
    assert links("repo_creation", {"host": "git", "repository_name": "x", "format": "tar", "readme": "# x"}) == [
        Link("generation.generate", {"readme": "# x"}),
        Link("generation.package_project", {"format": "tar"}),
        Link("export.export_to_git", {"repository_name": "x"}),
    ]
    assert [link.method for link in links("repo_creation", {"export_type": "zip"})] == [
        "generation.generate",
        "generation.package_project",
        "export.export_as_zip",
    ]
    assert links("repo_creation", {"export_type": "tar.gz"})[2] == Link("export.export_as_tar", {"compressed": True})
    assert links("repo_creation", {"export_type": "tar"})[2] == Link("export.export_as_tar", {"compressed": False})
    step_type = step_types.get("repo_creation")
    assert step_type is not None
    result = step_type.result([{"commit": "c"}, {"path": "a.zip"}, {"html_url": "u"}])
    assert result == {"html_url": "u", "generation": {"commit": "c"}, "archive": {"path": "a.zip"}}


def test_file_generation_takes_a_structure_or_one_file():
    assert links("file_generation", {"structure": {"a": "b"}}) == [
        Link("generation.generate", {"structure": {"a": "b"}})
    ]
    assert links("file_generation", {"file_path": "a.txt", "content": "x"}) == [
        Link("generation.generate", {"files": [{"path": "a.txt", "content": "x"}]})
    ]


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("file_generation", {}),
        ("file_generation", {"file_path": "a", "content": "", "readme": "x"}),
        ("repo_creation", {"host": "git"}),
        ("repo_creation", {"host": "git", "repository_name": "x", "url": "https://example.org/x.git"}),
    ],
)
def test_what_the_schema_cannot_say(name, config):
    with pytest.raises(InvalidInput):
        links(name, config)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("repo_creation", {}),
        ("repo_creation", {"host": "git", "export_type": "zip"}),
        ("file_generation", {"file_path": "a"}),
        ("api_call", {"method": "GET"}),
    ],
)
def test_what_the_schema_refuses(name, config):
    step_type = step_types.get(name)
    assert step_type is not None
    assert check(config, step_type.config_schema) is not None


def test_an_api_call_is_one_link():
    config = {"method": "POST", "endpoint": "/x/", "data": {"a": 1}}
    assert links("api_call", config) == [Link("agents.call", config)]
