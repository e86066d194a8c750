"""Which generations a user may see, and their files: those of the projects that `selectors` lets them see."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right
from backend.apps.projects.models import GeneratedProject, ProjectFile
from backend.apps.projects.selectors import get_project, path_begins_with, visible_projects
from backend.errors import NotFound


def visible_generations(
    *, user: User, project_id: UUID | None = None, status: str | None = None, ordering: str = "-created_at"
) -> QuerySet[GeneratedProject]:
    """Return the generations of the projects that the user may see, each with its project.

    project_id: of this project alone. ordering: the name of a column, with a minus for the reverse.
    """
    generations = GeneratedProject.objects.filter(project__in=visible_projects(user=user)).select_related("project")
    if project_id is not None:
        generations = generations.filter(project_id=project_id)
    if status is not None:
        generations = generations.filter(status=status)
    return generations.order_by(ordering, "pk")


def get_generation(
    *, user: User, generation_id: UUID, project_id: UUID | None = None, right: Right = Right.SEE
) -> GeneratedProject:
    """Return a generation with its project; project_id: the one that it must be of. right: what is done with it.

    Raises NotFound, also for a stranger's, and PermissionRefused where the user sees it without having that right.
    """
    found = visible_generations(user=user, project_id=project_id).filter(pk=generation_id).first()
    if found is None:
        raise NotFound(
            f"There is no generation '{generation_id}'.",
            field="generated_project",
            hint="Check the id, and that you are a member of its project.",
        )
    if right != Right.SEE:
        get_project(user=user, project_id=found.project_id, right=right)
    return found


def recorded_files(
    generation: GeneratedProject, *, file_type: str | None = None, path: str | None = None
) -> QuerySet[ProjectFile]:
    """Return a generation's files by path, without their previews. path: what their paths begin with."""
    files = ProjectFile.objects.filter(generated_project=generation).defer("content_preview").order_by("file_path")
    if file_type is not None:
        files = files.filter(file_type=file_type)
    return files.filter(path_begins_with(path)) if path else files


def visible_files(
    *, user: User, generation_id: UUID | None = None, file_type: str | None = None, path: str | None = None
) -> QuerySet[ProjectFile]:
    """Return the files of the generations that the user may see, by generation and path, without their previews."""
    files = ProjectFile.objects.filter(generated_project__project__in=visible_projects(user=user))
    if generation_id is not None:
        files = files.filter(generated_project_id=generation_id)
    if file_type is not None:
        files = files.filter(file_type=file_type)
    if path:
        files = files.filter(path_begins_with(path))
    return files.defer("content_preview").order_by("generated_project_id", "file_path")


def get_file(*, user: User, file_id: UUID, generation_id: UUID | None = None) -> ProjectFile:
    """Return a file with its generation and project. Raises NotFound, also for a stranger's."""
    files = ProjectFile.objects.select_related("generated_project__project")
    files = files.filter(pk=file_id, generated_project__project__in=visible_projects(user=user))
    if generation_id is not None:
        files = files.filter(generated_project_id=generation_id)
    found = files.first()
    if found is None:
        raise NotFound(f"There is no file '{file_id}'.", field="file", hint="Check the id, and that you may see it.")
    return found


def file_at(generation: GeneratedProject, *, path: str) -> ProjectFile:
    """Return the file of a generation at a path. Raises NotFound."""
    found = None if "\0" in path else ProjectFile.objects.filter(generated_project=generation, file_path=path).first()
    if found is None:
        raise NotFound("The generation has no such file.", field="path", path=path[:200].replace("\0", ""))
    found.generated_project = generation
    return found
