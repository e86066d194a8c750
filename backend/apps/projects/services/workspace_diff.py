"""What a project's own workspace holds beside, instead of, or no longer of what a generation has. It only reads."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.selectors import newest_generation
from backend.apps.projects.services.content import Content
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.history import FileChange
from backend.apps.projects.services.recorded_files import recorded_content
from backend.apps.projects.services.text_diff import as_text, unified
from backend.apps.projects.services.workspace import Workspace
from backend.apps.projects.services.workspace_files import digests_of, files_of, workspace_of
from backend.errors import Conflict, NotFound

LARGEST_SHOWN = 1024 * 1024
"""Bytes of a file of which a patch shows the lines."""
LONGEST_PATCH = 200_000
"""Characters of a patch; what would be longer is cut off, and says so."""


@dataclass(frozen=True)
class WorkspaceChanges:
    """The generation that the workspace was compared with, None for nothing, and the files that differ, by path."""

    generation: GeneratedProject | None
    files: list[FileChange]


def compare_workspace(*, project: Project, generation_id: UUID | None = None) -> WorkspaceChanges:
    """Compare the project's workspace with one of its generations, by default the newest completed one, if any.

    Lines are not counted. Raises NotFound for a generation that is not the project's, Conflict where its record is not
    whole, and as `Workspace.entries` does.
    """
    generation = _generation(project, generation_id)
    content = None if generation is None else recorded_content(generation)
    if generation is not None and content is None:
        raise Conflict("The generation's files are not recorded as they were committed.", hint="Generate it once more.")
    return WorkspaceChanges(generation, differences(content, workspace_of(project)))


def differences(content: Content | None, workspace: Workspace) -> list[FileChange]:
    """Return the files in which a workspace differs from what was recorded, by path; lines are not counted."""
    old = {} if content is None else {file.path: file for file in content.files}
    new = {entry.path: entry for entry in files_of(workspace)}
    # What has another size is another file; the rest has to be read.
    unsure = [path for path, entry in new.items() if path in old and old[path].size == entry.size]
    digests = digests_of(workspace, unsure) if unsure else {}
    changes = []
    for path in sorted(old.keys() | new.keys()):
        if path not in old or path not in new:
            changes.append(FileChange(path, "added" if path in new else "removed", False, None, None))
            continue
        mode_changed = old[path].executable != new[path].executable
        if mode_changed or digests.get(path) != old[path].digest:
            changes.append(FileChange(path, "changed", mode_changed, None, None))
    return changes


def patch(*, project: Project, found: WorkspaceChanges, paths: Collection[str] | None = None) -> str:
    """Return the unified diff of what `compare_workspace` found.

    What has no lines to be shown is named: large, binary and empty files, and what became executable or is no longer.
    paths: only these files. It is for people and models to read, and cut after LONGEST_PATCH characters.
    """
    length = 0
    parts: list[str] = []
    for change in found.files:
        if paths is not None and change.path not in paths:
            continue
        for line in _compared(change, project=project, generation=found.generation):
            length += len(line)
            if length > LONGEST_PATCH:
                return "".join([*parts, "... and more; name the paths to see the rest.\n"])
            parts.append(line)
    return "".join(parts)


def _compared(change: FileChange, *, project: Project, generation: GeneratedProject | None) -> list[str]:
    old, new, said = b"", b"", []
    if change.status != "added" and generation is not None:
        old = GitStore.for_project(project.pk).file(generation.commit, change.path)
    if change.status != "removed":
        with workspace_of(project).open(change.path) as stream:
            new = stream.read(LARGEST_SHOWN + 1)
            if change.mode_changed:
                executable = os.fstat(stream.fileno()).st_mode & stat.S_IXUSR
                said.append("now executable" if executable else "no longer executable")
    lines = _lines(change, old, new)
    if lines is None:
        said.append("binary or large")
    elif not old and not new:
        said.append("empty")
    named = [f"{change.status} {change.path} ({', '.join(said)})\n"] if said else []
    return [*named, *(lines or ())]


def _lines(change: FileChange, old: bytes, new: bytes) -> list[str] | None:
    if old == new:
        return []
    before, after = (as_text(data) if len(data) <= LARGEST_SHOWN else None for data in (old, new))
    if before is None or after is None:
        return None
    return unified(
        before,
        after,
        old="/dev/null" if change.status == "added" else f"a/{change.path}",
        new="/dev/null" if change.status == "removed" else f"b/{change.path}",
    )


def _generation(project: Project, generation_id: UUID | None) -> GeneratedProject | None:
    if generation_id is None:
        return newest_generation(project=project, execution_id=None)
    generations = GeneratedProject.objects.filter(project=project).exclude(commit="")
    found = generations.filter(pk=generation_id).first()
    if found is None:
        raise NotFound(f"The project has no generation '{generation_id}' with files.", field="old")
    return found
