"""What a step `repo_creation` may say for each host, and the chain that it becomes."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from backend.apps.exports.step_types import REPO_CREATION
from backend.errors import InvalidInput


@pytest.mark.parametrize(
    ("config", "method", "arguments"),
    [
        ({"host": "git", "repository_name": "r"}, "export.export_to_git", {"repository_name": "r"}),
        (
            {"host": "git", "url": "https://x.example/r", "credential": "bot"},
            "export.export_to_git",
            {"url": "https://x.example/r", "credential": "bot"},
        ),
        (
            {"host": "github", "credential": "bot", "repository_name": "r", "organization": "acme", "private": False},
            "export.export_to_github",
            {"credential": "bot", "repository_name": "r", "organization": "acme", "private": False},
        ),
        (
            {
                "host": "gitlab",
                "credential": "bot",
                "repository_name": "r",
                "namespace": "a/b",
                "visibility": "internal",
                "description": "d",
                "topics": ["t"],
                "branch": "trunk",
            },
            "export.export_to_gitlab",
            {
                "credential": "bot",
                "project_name": "r",
                "namespace": "a/b",
                "visibility": "internal",
                "description": "d",
                "topics": ["t"],
                "branch": "trunk",
            },
        ),
        (
            {"host": "github", "github_token": "secret:x", "base_url": "https://h.example", "repository_name": "r"},
            "export.export_to_github",
            {"github_token": "secret:x", "base_url": "https://h.example", "repository_name": "r"},
        ),
        (
            {"host": "gitlab", "gitlab_token": "secret:x", "repository_name": "r"},
            "export.export_to_gitlab",
            {"gitlab_token": "secret:x", "project_name": "r"},
        ),
        (
            {"host": "git", "url": "https://x.example/r", "token": "secret:x", "username": "me"},
            "export.export_to_git",
            {"url": "https://x.example/r", "token": "secret:x", "username": "me"},
        ),
    ],
)
def test_each_host_has_its_task(config, method, arguments):
    Draft202012Validator(REPO_CREATION.config_schema).validate(config)
    links = REPO_CREATION.links({**config, "readme": "# x"})
    assert [link.method for link in links] == ["generation.generate", "generation.package_project", method]
    assert links[-1].arguments == arguments


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"host": "git"}, "repository_name"),
        ({"host": "git", "repository_name": "r", "url": "https://x.example/r"}, "repository_name"),
        ({"host": "git", "repository_name": "r", "private": True}, "private"),
        ({"host": "github", "repository_name": "r"}, "credential"),
        ({"host": "github", "credential": "bot"}, "repository_name"),
        ({"host": "github", "credential": "bot", "repository_name": "r", "namespace": "x"}, "namespace"),
        ({"host": "github", "credential": "bot", "repository_name": "r", "visibility": "public"}, "visibility"),
        ({"host": "gitlab", "credential": "bot", "repository_name": "r", "organization": "x"}, "organization"),
        ({"host": "gitlab", "credential": "bot", "repository_name": "r", "private": True}, "private"),
        ({"host": "gitlab", "credential": "bot", "repository_name": "r", "url": "https://x.example"}, "url"),
    ],
)
def test_what_a_host_does_not_have_is_named(config, field):
    with pytest.raises(InvalidInput) as refused:
        REPO_CREATION.links(config)
    assert refused.value.place["field"] == field
    assert refused.value.hint or refused.value.place["expected"]
