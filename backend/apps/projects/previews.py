"""Previews of the tasks that generate and package; see `backend.apps.workflows.previews`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.apps.projects.models import Archive
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.dry_generation import DryGeneration
from backend.apps.projects.services.dry_tree import tree_of
from backend.apps.workflows.definitions.unknown import Unknown
from backend.apps.workflows.file_trees import FileTree
from backend.apps.workflows.previews import NOT_SHOWN, Asked, Effect, Preview, register, register_drawing
from backend.errors import InvalidInput

MEMORY = "projects.generation"
MOST_PATHS = 200
"""Paths that one effect names."""


def generation_of(asked: Asked) -> DryGeneration:
    """Return the generation of the dry run, as far as its steps have come."""
    found = asked.memory.get(MEMORY)
    if not isinstance(found, DryGeneration):
        project = get_project(user=asked.user, project_id=asked.project.id) if asked.project else None
        found = asked.memory[MEMORY] = DryGeneration(project)
    return found


def _generate(asked: Asked) -> Preview:
    generation = generation_of(asked)
    changes = generation.generate(asked.arguments, origin=asked.origin)
    unknown = {name: Unknown.of(f"{asked.origin}.{name}") for name in ("generation", "commit", "output_directory")}
    if changes is None or generation.content is None:
        effect = Effect("generates", "generates files that are not known yet", {"files": [], "removed": []})
        return Preview(effect, Unknown.of(asked.origin), needs_project=True)
    content = generation.content
    written, removed = [file.path for file in changes.files], list(changes.removed)
    result = {
        **unknown,
        "content_digest": Unknown.of(f"{asked.origin}.content_digest") if generation.open_marks else content.digest,
        "total_files": len(content.files),
        "total_size": Unknown.of(f"{asked.origin}.total_size") if generation.open_marks else content.size,
    }
    if generation.incomplete:
        result = {name: Unknown.of(f"{asked.origin}.{name}") for name in result}
    summary = f"generates {_files(len(written))}" if written or removed else "adds no files of its own"
    summary += f", removes {len(removed)}" if removed else ""
    details = {
        "files": written[:MOST_PATHS],
        "removed": removed[:MOST_PATHS],
        "more": max(0, len(written) - MOST_PATHS) + max(0, len(removed) - MOST_PATHS),
        "total_files": len(content.files),
        "total_size": content.size,
    }
    return Preview(Effect("generates", summary, details), result, needs_project=True)


def _package(asked: Asked) -> Preview:
    wanted = asked.arguments.get("format", "zip")
    if wanted not in Archive.Format.values:
        raise InvalidInput(
            f"There is no archive format {str(wanted)[:50]!r}.", field="format", expected=list(Archive.Format.values)
        )
    names = ("archive", "path", "size", "digest", "commit", "generation")
    result = {"format": wanted, **{name: Unknown.of(f"{asked.origin}.{name}") for name in names}}
    return Preview(Effect("packages", f"packages {wanted}", {"format": wanted}), result, needs_project=True)


def _draw(memory: Mapping[str, Any]) -> FileTree | None:
    found = memory.get(MEMORY)
    if not isinstance(found, DryGeneration):
        return None
    found.incomplete += [f"Items of {step} that are not shown may generate more." for step in memory.get(NOT_SHOWN, ())]
    return tree_of(found)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


register("generation.generate", _generate)
register("generation.package_project", _package)
register_drawing(_draw)
