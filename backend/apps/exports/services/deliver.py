"""Deliveries: one completed generation, as an archive or to a repository, recorded under the key of the task.

A key that has been delivered is not delivered again: its recorded result is the answer. The outside effect itself is
idempotent too (see `backend.apps.projects.hosts`), since a worker can die between the effect and the record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.generations import completed_generation, package
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.workflows.execution.interruption import Interrupted
from backend.errors import Conflict, InvalidInput, RepomillError

_Status = RepositoryExport.Status


def deliver_to_git(
    *,
    key: str,
    project: Project,
    user: User,
    execution_id: UUID | None,
    repository_name: str | None = None,
    url: str | None = None,
    branch: str = "main",
) -> dict[str, Any]:
    """Push the execution's completed generation to a git remote and return what is there now, with the export's id.

    repository_name: a bare repository on this machine, made when it is missing; url: an https address. Exactly one.
    Raises Conflict where no generation is completed or the key was used for something else, and as
    `RepositoryExporter.export_to_git` does; the export is failed then and may be tried again.
    """
    if (repository_name is None) == (url is None):
        raise InvalidInput(
            "Give exactly one of `repository_name` and `url`.",
            field="repository_name",
            hint="A repository_name is a repository on this machine, a url one elsewhere.",
        )
    get_project(user=user, project_id=project.pk, write=True)
    generation = completed_generation(project=project, execution_id=execution_id)

    def export() -> dict[str, Any]:
        exporter = RepositoryExporter(str(project.pk), generation_id=str(generation.pk))
        return exporter.export_to_git(url=url, repository_name=repository_name, commit=generation.commit, branch=branch)

    return _delivered(
        RepositoryExport(
            key=key,
            generated_project=generation,
            export_type=RepositoryExport.ExportType.GIT,
            repository_name=(repository_name or "")[:200],
            config={"request": {"repository_name": repository_name, "url": url, "branch": branch}},
            created_by=user,
        ),
        effect=export,
        recorded=lambda result: {"repository_name": result["full_name"][:200], "repository_url": result["html_url"]},
    )


def deliver_archive(
    *, key: str, project: Project, user: User, execution_id: UUID | None, format: str
) -> dict[str, Any]:
    """Package the execution's completed generation and return the archive, with the export's id.

    format: zip, tar or tar.gz. Raises as `backend.apps.projects.services.generations.package` does.
    """
    if format not in RepositoryExport.ExportType.values or format in {"github", "gitlab", "git"}:
        raise InvalidInput(
            f"There is no archive format {format[:50]!r}.", field="format", expected=["zip", "tar", "tar.gz"]
        )
    get_project(user=user, project_id=project.pk, write=True)
    generation = completed_generation(project=project, execution_id=execution_id)
    return _delivered(
        RepositoryExport(
            key=key,
            generated_project=generation,
            export_type=format,
            config={"request": {"format": format}},
            created_by=user,
        ),
        effect=lambda: package(project=project, user=user, execution_id=execution_id, format=format),
        recorded=lambda result: {"archive_path": result["path"], "archive_size": result["size"]},
    )


def _delivered(
    wanted: RepositoryExport,
    *,
    effect: Callable[[], dict[str, Any]],
    recorded: Callable[[dict[str, Any]], dict[str, Any]],
) -> dict[str, Any]:
    """Do the effect unless the key has been delivered, and record how it went.

    recorded: the columns that a result fills.
    """
    export = _opened(wanted)
    if export.status == _Status.COMPLETED:
        return _as_result(export)
    generation: GeneratedProject = export.generated_project
    try:
        result = effect()
    except RepomillError as error:
        _update(export, status=_Status.FAILED, error_message=error.message)
        raise
    except (Interrupted, Exception):
        # Cancelled, past its time limit, or a fault: whatever it is, nobody delivers it any more.
        _update(export, status=_Status.FAILED, error_message="The delivery was interrupted before it was done.")
        raise
    _update(
        export,
        status=_Status.COMPLETED,
        error_message="",
        commit=generation.commit,
        config={**export.config, "result": result},
        completed_at=timezone.now(),
        **recorded(result),
    )
    export.refresh_from_db()
    return _as_result(export)


def _opened(wanted: RepositoryExport) -> RepositoryExport:
    """Return the key's row, made if need be; as one that is being exported unless it is completed."""
    export, _ = RepositoryExport.objects.get_or_create(
        key=wanted.key,
        defaults={
            "generated_project": wanted.generated_project,
            "export_type": wanted.export_type,
            "repository_name": wanted.repository_name,
            "config": wanted.config,
            "created_by": wanted.created_by,
        },
    )
    same = (
        export.generated_project_id == wanted.generated_project_id
        and export.export_type == wanted.export_type
        and export.config.get("request") == wanted.config["request"]
    )
    if not same:
        raise Conflict("This key was used for another delivery.", field="key", hint="Use a key of its own for each.")
    if export.status != _Status.COMPLETED:
        _update(export, status=_Status.EXPORTING)
    return export


def _update(export: RepositoryExport, **values: Any) -> None:  # noqa: ANN401  (columns)
    """Change the row unless it has been completed, which only happens once."""
    RepositoryExport.objects.filter(pk=export.pk).exclude(status=_Status.COMPLETED).update(
        **values, updated_at=timezone.now()
    )


def _as_result(export: RepositoryExport) -> dict[str, Any]:
    result: dict[str, Any] = export.config["result"]
    return {**result, "export": str(export.pk), "generation": str(export.generated_project_id)}
