"""Deliveries: one completed generation, as an archive or to a repository, recorded under the key of the task.

What a user may deliver, and with which credential, is looked up here; the record of it is `recording`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.services.access import open_access, open_git_access
from backend.apps.exports.services.pacing_accounts import keeping_pace
from backend.apps.exports.services.recording import delivered
from backend.apps.projects.hosts.base import DEFAULT_USERNAME
from backend.apps.projects.hosts.wishes import require_text, topics_of
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.generations import completed_generation, package
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.workflows.execution.fence import Fence, no_fence
from backend.errors import InvalidInput


def deliver_to_git(
    *,
    key: str,
    project: Project,
    user: User,
    execution_id: UUID | None,
    generation_id: str | None = None,
    fence: Fence = no_fence,
    repository_name: str | None = None,
    url: str | None = None,
    branch: str = "main",
    credential: str | None = None,
    token: Secret | None = None,
    username: str = DEFAULT_USERNAME,
) -> dict[str, Any]:
    """Push the execution's completed generation to a git remote and return what is there now, with the export's id.

    generation_id: of one of the project, in the place of the execution's. fence: see `recording.delivered`. So in every
    function here.
    repository_name: a bare repository on this machine, made when it is missing; url: an https address. Exactly one.
    credential: the name of one for the url's host. Or else token, and the username that goes with it.
    Raises Conflict where no generation is completed or the key was used for something else, and as
    `RepositoryExporter.export_to_git` does; the export is failed then and may be tried again.
    """
    if (repository_name is None) == (url is None):
        raise InvalidInput(
            "Give exactly one of `repository_name` and `url`.",
            field="repository_name",
            hint="A repository_name is a repository on this machine, a url one elsewhere.",
        )
    if credential is not None and token is not None:
        raise InvalidInput("Give either a credential or a token.", field="credential", hint="Leave one of them out.")
    if (credential is not None or token is not None) and url is None:
        raise InvalidInput(
            "A repository on this machine is reached without a credential.", field="credential", hint="Leave it out."
        )

    def export(exporter: RepositoryExporter, commit: str) -> dict[str, Any]:
        if token is not None:
            return exporter.export_to_git(url, commit=commit, branch=branch, token=token, username=username)
        if credential is None or url is None:
            return exporter.export_to_git(url=url, repository_name=repository_name, commit=commit, branch=branch)
        access = open_git_access(credential, url=url, project=project, user=user)
        return exporter.export_to_git(url, commit=commit, branch=branch, token=access.secret, username=access.username)

    return _delivered_repository(
        key=key,
        project=project,
        user=user,
        execution_id=execution_id,
        generation_id=generation_id,
        fence=fence,
        export_type=RepositoryExport.ExportType.GIT,
        repository_name=require_text(repository_name or "", field="repository_name"),
        request={"repository_name": repository_name, "url": url, "branch": branch}
        | ({} if credential is None else {"credential": credential}),
        export=export,
    )


def deliver_to_github(
    *,
    key: str,
    project: Project,
    user: User,
    execution_id: UUID | None,
    generation_id: str | None = None,
    fence: Fence = no_fence,
    credential: str | None = None,
    github_token: Secret | None = None,
    base_url: str | None = None,
    repository_name: str,
    organization: str | None = None,
    private: bool = True,
    description: str = "",
    topics: Sequence[str] = (),
    branch: str = "main",
) -> dict[str, Any]:
    """Push the execution's completed generation to GitHub and return what is there now, with the export's id.

    credential: the name of one for GitHub that the user may use; its base_url says which GitHub. Or else github_token,
    with the base_url of a GitHub that is not the public one.
    Raises Conflict as `deliver_to_git` does, NotFound for the credential, and as `RepositoryExporter.export_to_github`.
    """
    wanted: dict[str, Any] = {
        "repository_name": repository_name,
        "organization": organization,
        "private": private,
        "description": description,
        "topics": list(topics_of(topics)),
        "branch": branch,
    }

    def export(exporter: RepositoryExporter, commit: str) -> dict[str, Any]:
        access = open_access(
            credential=credential, token=github_token, base_url=base_url, host="github", project=project, user=user
        )
        with keeping_pace("github", access):
            return exporter.export_to_github(access.secret, commit=commit, base_url=access.base_url, **wanted)

    return _delivered_repository(
        key=key,
        project=project,
        user=user,
        execution_id=execution_id,
        generation_id=generation_id,
        fence=fence,
        export_type=RepositoryExport.ExportType.GITHUB,
        repository_name=require_text(repository_name, field="repository_name"),
        request={**wanted, "credential": credential} | ({} if base_url is None else {"base_url": base_url}),
        export=export,
    )


def deliver_to_gitlab(
    *,
    key: str,
    project: Project,
    user: User,
    execution_id: UUID | None,
    generation_id: str | None = None,
    fence: Fence = no_fence,
    credential: str | None = None,
    gitlab_token: Secret | None = None,
    base_url: str | None = None,
    project_name: str,
    namespace: str | None = None,
    visibility: str = "private",
    description: str = "",
    topics: Sequence[str] = (),
    branch: str = "main",
) -> dict[str, Any]:
    """Push the execution's completed generation to GitLab and return what is there now, with the export's id.

    credential: the name of one for GitLab that the user may use; its base_url says which GitLab. Or else gitlab_token,
    with the base_url of a GitLab that is not the public one.
    Raises Conflict as `deliver_to_git` does, NotFound for the credential, and as `RepositoryExporter.export_to_gitlab`.
    """
    wanted: dict[str, Any] = {
        "project_name": project_name,
        "namespace": namespace,
        "visibility": visibility,
        "description": description,
        "topics": list(topics_of(topics)),
        "branch": branch,
    }

    def export(exporter: RepositoryExporter, commit: str) -> dict[str, Any]:
        access = open_access(
            credential=credential, token=gitlab_token, base_url=base_url, host="gitlab", project=project, user=user
        )
        with keeping_pace("gitlab", access):
            return exporter.export_to_gitlab(access.secret, commit=commit, base_url=access.base_url, **wanted)

    return _delivered_repository(
        key=key,
        project=project,
        user=user,
        execution_id=execution_id,
        generation_id=generation_id,
        fence=fence,
        export_type=RepositoryExport.ExportType.GITLAB,
        repository_name=require_text(project_name, field="project_name"),
        request={**wanted, "credential": credential} | ({} if base_url is None else {"base_url": base_url}),
        export=export,
    )


def _delivered_repository(
    *,
    key: str,
    project: Project,
    user: User,
    execution_id: UUID | None,
    generation_id: str | None = None,
    fence: Fence = no_fence,
    export_type: str,
    repository_name: str,
    request: dict[str, Any],
    export: Callable[[RepositoryExporter, str], dict[str, Any]],
) -> dict[str, Any]:
    """Export the completed generation unless the key has been delivered, and record it with the request."""
    get_project(user=user, project_id=project.pk, write=True)
    generation = _generation(key=key, project=project, execution_id=execution_id, generation_id=generation_id)
    exporter = RepositoryExporter(str(project.pk), generation_id=str(generation.pk))
    return delivered(
        RepositoryExport(
            key=key,
            generated_project=generation,
            export_type=export_type,
            repository_name=repository_name[:200],
            config={"request": request},
            created_by=user,
        ),
        effect=lambda: export(exporter, generation.commit),
        fence=fence,
        recorded=lambda result: {"repository_name": result["full_name"][:200], "repository_url": result["html_url"]},
    )


def deliver_archive(
    *,
    key: str,
    project: Project,
    user: User,
    execution_id: UUID | None,
    generation_id: str | None = None,
    fence: Fence = no_fence,
    format: str,
) -> dict[str, Any]:
    """Package the execution's completed generation and return the archive, with the export's id.

    format: zip, tar or tar.gz. Raises as `backend.apps.projects.services.generations.package` does.
    """
    if format not in RepositoryExport.ExportType.values or format in {"github", "gitlab", "git"}:
        raise InvalidInput(
            f"There is no archive format {format[:50]!r}.", field="format", expected=["zip", "tar", "tar.gz"]
        )
    get_project(user=user, project_id=project.pk, write=True)
    generation = _generation(key=key, project=project, execution_id=execution_id, generation_id=generation_id)
    return delivered(
        RepositoryExport(
            key=key,
            generated_project=generation,
            export_type=format,
            config={"request": {"format": format}},
            created_by=user,
        ),
        effect=lambda: package(
            project=project, user=user, execution_id=None, generation_id=str(generation.pk), format=format
        ),
        fence=fence,
        recorded=lambda result: {"archive_path": result["path"], "archive_size": result["size"]},
    )


def _generation(
    *, key: str, project: Project, execution_id: UUID | None, generation_id: str | None
) -> GeneratedProject:
    """Return the completed generation to deliver. Where nobody named one, a key stays with the one it began with.

    Another may have become the project's newest between two attempts. Raises as `completed_generation` does.
    """
    if execution_id is None and generation_id is None:
        begun = RepositoryExport.objects.filter(key=key, generated_project__project=project)
        found = begun.values_list("generated_project_id", flat=True).first()
        generation_id = None if found is None else str(found)
    return completed_generation(project=project, execution_id=execution_id, generation_id=generation_id)
