"""Step types of the `exports` app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.apps.projects.models import Archive
from backend.apps.projects.step_types import CONTENT_PROPERTIES, content_of
from backend.apps.workflows.step_types import Link, StepType, register
from backend.errors import InvalidInput


def _links(config: dict[str, Any]) -> list[Link]:
    generate = Link("generation.generate", content_of(config))
    if "export_type" in config:
        return [generate, Link("generation.package_project", {"format": config["export_type"]}), _archive_link(config)]
    if ("repository_name" in config) == ("url" in config):
        raise InvalidInput(
            "Name a repository either by repository_name or by url.", field="repository_name", expected="one of them"
        )
    target: dict[str, Any] = {name: config[name] for name in ("repository_name", "url", "branch") if name in config}
    return [
        generate,
        Link("generation.package_project", {"format": config.get("format", Archive.Format.ZIP.value)}),
        Link(f"export.export_to_{config['host']}", target),
    ]


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
                "host": {"enum": ["git"], "description": "Where the repository lives."},
                "repository_name": {"type": "string", "minLength": 1, "maxLength": 200},
                "url": {"type": "string", "minLength": 1, "description": "A git remote that exists."},
                "branch": {"type": "string", "minLength": 1, "maxLength": 200, "default": "main"},
                "format": {"enum": list(Archive.Format.values), "description": "Of the archive made on the way."},
                "export_type": {"enum": list(Archive.Format.values), "description": "An archive and nothing else."},
                **CONTENT_PROPERTIES,
            },
            "oneOf": [{"required": ["host"]}, {"required": ["export_type"]}],
        },
        links=_links,
        result=_result,
    )
)
