"""The registry of previews: what a task's method would do, worked out without doing it.

Each app registers those of its own methods in its module `previews`, which is imported when the first one is asked for:
most processes never do. A preview reads; it writes nothing, opens no secret and sends nothing. A method without one is
shown as the call that it is. What asks for them is `backend.apps.workflows.services.dry_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.utils.module_loading import autodiscover_modules

from backend.apps.authentication.models import User
from backend.apps.authentication.project_access import KnownProject
from backend.apps.workflows.file_trees import FileTree
from backend.errors import ConfigurationError

NOT_SHOWN = "workflows.not_shown"
"""The part of a dry run's memory that names the repeated steps of whose items some were left out."""


class Unclear(Exception):
    """What a method would do cannot be worked out from what is known. The text says why, as a sentence."""


@dataclass(frozen=True)
class Effect:
    """What one method would do.

    kind: generates, packages, pushes, requests or calls. summary: one line for a person, without secrets.
    details: JSON, which may hold Unknowns and no secret; its names belong to the kind.
    """

    kind: str
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preview:
    """An effect, and the result that later steps would read, with an Unknown for each part that is not known.

    needs_project: whether the method works on the run's project, and fails where it has none.
    """

    effect: Effect
    result: Any
    needs_project: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One call of a method that is to be previewed.

    arguments: as the task would have them; secrets are marked, and what is not known is an Unknown.
    origin: how an expression names the call's result. project: None where the run has none.
    memory: what the previews of one dry run keep for each other, by names of their own.
    """

    method: str
    arguments: dict[str, Any]
    origin: str
    user: User
    project: KnownProject | None
    memory: dict[str, Any]


Previewing = Callable[[Asked], Preview]
Drawing = Callable[[Mapping[str, Any]], FileTree | None]
_registered: dict[str, Previewing] = {}
_drawings: list[Drawing] = []


def register(method: str, preview: Previewing) -> None:
    """Say what previews a method. Raises ConfigurationError where something else does already."""
    if _registered.setdefault(method, preview) is not preview:
        raise ConfigurationError(f"The method {method!r} has two previews.", field=method)


def get(method: str) -> Previewing | None:
    """Return what previews a method, or None."""
    _find()
    return _registered.get(method)


def register_drawing(drawing: Drawing) -> None:
    """Say what makes the tree of files from the memory of a dry run; the last one counts."""
    _drawings[:] = [drawing]


def draw(memory: Mapping[str, Any]) -> FileTree | None:
    """Return the files as they would be after all steps; None where none would be generated."""
    _find()
    return _drawings[0](memory) if _drawings else None


@cache
def _find() -> None:
    autodiscover_modules("previews")
