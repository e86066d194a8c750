"""Step types of the `exports` app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.apps.projects.models import Archive
from backend.apps.projects.step_types import CONTENT_PROPERTIES, content_of
from backend.apps.workflows.step_types import Link, StepType, register
from backend.errors import InvalidInput

_COMMON = ("description", "topics", "branch")
_REPOSITORY: dict[str, dict[str, str]] = {
    "git": {name: name for name in ("repository_name", "url", "branch", "credential", "token", "username")},
    "github": {
        name: name
        for name in ("credential", "github_token", "base_url", "repository_name", "organization", "private", *_COMMON)
    },
    "gitlab": {
        "repository_name": "project_name",
        **{name: name for name in ("credential", "gitlab_token", "base_url", "namespace", "visibility", *_COMMON)},
    },
}
"""For each host, what a config may say of the repository, and what the task calls it."""
_INSTEAD = (
    "Instead of a credential: a token, which is kept encrypted for one execution alone and never shown; best as"
    " ${{ inputs.NAME }} of an input that is writeOnly."
)
_NAMES = sorted({name for names in _REPOSITORY.values() for name in names})


def _links(config: dict[str, Any]) -> list[Link]:
    generate = Link("generation.generate", content_of(config))
    if "export_type" in config:
        return [generate, Link("generation.package_project", {"format": config["export_type"]}), _archive_link(config)]
    return [
        generate,
        Link("generation.package_project", {"format": config.get("format", Archive.Format.ZIP.value)}),
        Link(f"export.export_to_{config['host']}", _repository(config)),
    ]


def _repository(config: dict[str, Any]) -> dict[str, Any]:
    host = config["host"]
    names = _REPOSITORY[host]
    for name in _NAMES:
        if name in config and name not in names:
            raise InvalidInput(f"The host {host} has no {name}.", field=name, expected=sorted(names))
    if host == "git":
        if ("repository_name" in config) == ("url" in config):
            raise InvalidInput(
                "Name a repository either by repository_name or by url.",
                field="repository_name",
                expected="one of them",
            )
    else:
        if "repository_name" not in config:
            raise InvalidInput(
                f"The host {host} needs a repository_name.", field="repository_name", expected="its name there"
            )
        if ("credential" in config) == (f"{host}_token" in config):
            raise InvalidInput(
                f"The host {host} needs either a credential or a {host}_token.",
                field="credential",
                hint="Better a credential: it is named, as `repomill credentials add` calls it.",
            )
    return {argument: config[name] for name, argument in names.items() if name in config}


def _archive_link(config: dict[str, Any]) -> Link:
    if config["export_type"] == Archive.Format.ZIP:
        return Link("export.export_as_zip")
    return Link("export.export_as_tar", {"compressed": config["export_type"] == Archive.Format.TAR_GZ})


def _result(results: Sequence[Any]) -> dict[str, Any]:
    generation, archive, delivery = results
    return {**delivery, "generation": generation, "archive": archive}


REPO_CREATION = register(
    StepType(
        name="repo_creation",
        config_schema={
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "host": {"enum": list(_REPOSITORY), "description": "Where the repository lives."},
                "credential": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 100,
                    "description": "The name of a credential for the host; never a token.",
                },
                **{
                    name: {"type": "string", "description": _INSTEAD}
                    for name in ("github_token", "gitlab_token", "token")
                },
                "username": {"type": "string", "minLength": 1, "description": "What goes with the token (git)."},
                "base_url": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Where the token is for, if not the public host (github, gitlab).",
                },
                "repository_name": {"type": "string", "minLength": 1, "maxLength": 200},
                "url": {"type": "string", "minLength": 1, "description": "A git remote that exists (git)."},
                "organization": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Whose the repository is to be (github); default the credential's own account.",
                },
                "private": {"type": "boolean", "default": True, "description": "Of a new repository (github)."},
                "namespace": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The full path of a group (gitlab); default the credential's own account.",
                },
                "visibility": {
                    "enum": ["private", "internal", "public"],
                    "default": "private",
                    "description": "Of a new project (gitlab).",
                },
                "description": {"type": "string", "description": "Of a new repository (github, gitlab)."},
                "topics": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "description": "Of a new repository (github, gitlab).",
                },
                "branch": {"type": "string", "minLength": 1, "maxLength": 200, "default": "main"},
                "format": {"enum": list(Archive.Format.values), "description": "Of the archive made on the way."},
                "export_type": {"enum": list(Archive.Format.values), "description": "An archive and nothing else."},
                **CONTENT_PROPERTIES,
            },
            "oneOf": [{"required": ["host"]}, {"required": ["export_type"]}],
        },
        links=_links,
        result=_result,
        generates=True,
    )
)
