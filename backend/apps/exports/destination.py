"""Where a bulk export goes: read from what was asked for, and filled in for each project.

A destination is one value for many projects, so the name of a repository is a pattern: `backup-{slug}`. It names a
credential and never holds one. What each delivery is given is `backend.apps.exports.services.deliver`'s to check.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from backend.apps.exports.repository_options import EXPORT_TYPES, REPOSITORY_OPTIONS
from backend.apps.projects.models import Project
from backend.errors import InvalidInput

ARCHIVES = ("zip", "tar", "tar.gz")
PLACEHOLDERS = ("slug", "id", "owner")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_TEXT = ("credential", "repository_name", "url", "organization", "namespace", "branch", "description")
_PATTERNS = ("repository_name", "url", "description")
LONGEST = 500


def read_destination(export_type: Any, value: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    """Return a destination from JSON, checked as far as it can be without a project.

    export_type: zip, tar or tar.gz, whose destination is empty; github, gitlab or git.
    Raises InvalidInput, which names the field.
    """
    if export_type not in EXPORT_TYPES:
        raise InvalidInput(
            f"There is no export type {str(export_type)[:50]!r}.", field="export_type", expected=list(EXPORT_TYPES)
        )
    if not isinstance(value, Mapping):
        raise InvalidInput("A destination is an object.", field="destination", expected="an object")
    if export_type in ARCHIVES:
        if value:
            raise InvalidInput(
                f"An export as {export_type} goes to the storage and has no destination.",
                field="destination",
                hint="Leave it out, or choose github, gitlab or git.",
            )
        return {}
    options = REPOSITORY_OPTIONS[export_type]
    for name in value:
        if name not in options:
            raise InvalidInput(
                f"A destination of type {export_type} has no {str(name)[:50]!r}.",
                field=f"destination.{str(name)[:50]}",
                expected=sorted(options),
            )
    _check_values(value)
    _require(export_type, value)
    return dict(value)


def destination_key(export_type: str, destination: Mapping[str, Any], *, user_id: Any) -> str:  # noqa: ANN401
    """Return what names a destination for ever: the same one is meant where this is the same.

    Names of credentials are a user's own, so a destination with one is that user's.
    """
    whose = str(user_id) if "credential" in destination else ""
    text = json.dumps([export_type, destination, whose], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def delivery_arguments(export_type: str, destination: Mapping[str, Any], *, project: Project) -> dict[str, Any]:
    """Return what a delivery of this project is given: the destination with its patterns filled in."""
    values = {"slug": project.slug, "id": str(project.pk), "owner": project.owner.get_username()}
    filled = {
        name: _PLACEHOLDER.sub(lambda match: values[match[1]], value) if name in _PATTERNS else value
        for name, value in destination.items()
    }
    options = REPOSITORY_OPTIONS[export_type]
    return {options[name]: value for name, value in filled.items()}


def _check_values(value: Mapping[str, Any]) -> None:
    for name, given in value.items():
        field = f"destination.{name}"
        if name in _TEXT and not (isinstance(given, str) and given.strip() and len(given) <= LONGEST):
            raise InvalidInput(f"{name} is a text.", field=field, expected=f"1 to {LONGEST} characters")
        if name == "private" and not isinstance(given, bool):
            raise InvalidInput("private is either true or false.", field=field, expected="true or false")
        if name == "visibility" and given not in ("private", "internal", "public"):
            raise InvalidInput("There is no such visibility.", field=field, expected=["private", "internal", "public"])
        if name == "topics" and not (isinstance(given, list) and all(isinstance(topic, str) for topic in given)):
            raise InvalidInput("topics is a list of words.", field=field, expected="a list of texts")
        if name in _PATTERNS:
            for placeholder in _PLACEHOLDER.findall(given):
                if placeholder not in PLACEHOLDERS:
                    raise InvalidInput(
                        f"There is no {{{placeholder[:50]}}} to fill in.",
                        field=field,
                        expected=[f"{{{name}}}" for name in PLACEHOLDERS],
                    )


def _require(export_type: str, value: Mapping[str, Any]) -> None:
    if export_type == "git":
        if ("repository_name" in value) == ("url" in value):
            raise InvalidInput(
                "Name the repositories either by repository_name or by url.",
                field="destination.repository_name",
                expected="one of them",
            )
        if "credential" in value and "url" not in value:
            raise InvalidInput(
                "A repository on this machine is reached without a credential.",
                field="destination.credential",
                hint="Leave it out.",
            )
    else:
        for name in ("credential", "repository_name"):
            if name not in value:
                raise InvalidInput(
                    f"A destination of type {export_type} needs a {name}.",
                    field=f"destination.{name}",
                    hint="A credential is named, as `repomill credentials add` calls it; a token never stands here.",
                )
    name = "url" if "url" in value else "repository_name"
    if not {"slug", "id"} & set(_PLACEHOLDER.findall(value[name])):
        raise InvalidInput(
            f"Every project needs a repository of its own, and {value[name][:100]!r} is the same for all.",
            field=f"destination.{name}",
            expected="a pattern with {slug} or {id}, such as backup-{slug}",
        )
