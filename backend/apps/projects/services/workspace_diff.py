"""What a project's own workspace holds beside, instead of, or no longer of what a generation has. It only reads."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.selectors import newest_generation
from backend.apps.projects.services.history import FileChange
from backend.apps.projects.services.recorded_files import recorded_content
from backend.apps.projects.services.workspace_editing import digests_of, workspace_of
from backend.errors import Conflict, NotFound


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
    old = {} if content is None else {file.path: file for file in content.files}
    workspace = workspace_of(project)
    found = list(workspace.entries()) if workspace.exists() else []
    new = {entry.path: entry for entry in found if not entry.is_directory}
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
    return WorkspaceChanges(generation, changes)


def _generation(project: Project, generation_id: UUID | None) -> GeneratedProject | None:
    if generation_id is None:
        return newest_generation(project=project, execution_id=None)
    generations = GeneratedProject.objects.filter(project=project).exclude(commit="")
    found = generations.filter(pk=generation_id).first()
    if found is None:
        raise NotFound(f"The project has no generation '{generation_id}' with files.", field="old")
    return found
