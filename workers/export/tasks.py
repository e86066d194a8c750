"""Tasks of RepositoryExporter: one for each method. Each records its delivery as a RepositoryExport.

generation: the id of one of the project's generations, in the place of the execution's or the newest.
"""

from __future__ import annotations

from typing import Any

from backend.apps.credentials.secret import Secret
from backend.apps.exports.services.deliver import (
    deliver_archive,
    deliver_to_git,
    deliver_to_github,
    deliver_to_gitlab,
)
from backend.apps.projects.hosts.base import DEFAULT_USERNAME
from workers.call import TaskCall
from workers.service_task import service_task


@service_task("export.export_to_git")
def export_to_git(
    call: TaskCall,
    *,
    repository_name: str | None = None,
    url: str | None = None,
    branch: str = "main",
    credential: str | None = None,
    token: Secret | None = None,
    username: str = DEFAULT_USERNAME,
    generation: str | None = None,
) -> dict[str, Any]:
    """Push the execution's generation to a git remote."""
    return deliver_to_git(
        key=call.task.key,
        **call.work,
        fence=call.require_newest,
        generation_id=generation,
        repository_name=repository_name,
        url=url,
        branch=branch,
        credential=credential,
        token=token,
        username=username,
    )


@service_task("export.export_to_github")
def export_to_github(
    call: TaskCall,
    *,
    repository_name: str,
    credential: str | None = None,
    github_token: Secret | None = None,
    base_url: str | None = None,
    organization: str | None = None,
    private: bool = True,
    description: str = "",
    topics: list[str] | None = None,
    branch: str = "main",
    generation: str | None = None,
) -> dict[str, Any]:
    """Push the execution's generation to a repository on GitHub, which is made when it is missing."""
    return deliver_to_github(
        key=call.task.key,
        **call.work,
        fence=call.require_newest,
        generation_id=generation,
        credential=credential,
        github_token=github_token,
        base_url=base_url,
        repository_name=repository_name,
        organization=organization,
        private=private,
        description=description,
        topics=topics or (),
        branch=branch,
    )


@service_task("export.export_to_gitlab")
def export_to_gitlab(
    call: TaskCall,
    *,
    project_name: str,
    credential: str | None = None,
    gitlab_token: Secret | None = None,
    base_url: str | None = None,
    namespace: str | None = None,
    visibility: str = "private",
    description: str = "",
    topics: list[str] | None = None,
    branch: str = "main",
    generation: str | None = None,
) -> dict[str, Any]:
    """Push the execution's generation to a project on GitLab, which is made when it is missing."""
    return deliver_to_gitlab(
        key=call.task.key,
        **call.work,
        fence=call.require_newest,
        generation_id=generation,
        credential=credential,
        gitlab_token=gitlab_token,
        base_url=base_url,
        project_name=project_name,
        namespace=namespace,
        visibility=visibility,
        description=description,
        topics=topics or (),
        branch=branch,
    )


@service_task("export.export_as_zip")
def export_as_zip(call: TaskCall, *, generation: str | None = None) -> dict[str, Any]:
    """Deliver the execution's generation as a zip archive."""
    return _as_archive(call, generation=generation, format="zip")


@service_task("export.export_as_tar")
def export_as_tar(call: TaskCall, *, compressed: bool = True, generation: str | None = None) -> dict[str, Any]:
    """Deliver the execution's generation as a tar archive, by default compressed with gzip."""
    return _as_archive(call, generation=generation, format="tar.gz" if compressed else "tar")


def _as_archive(call: TaskCall, *, generation: str | None, format: str) -> dict[str, Any]:
    return deliver_archive(
        key=call.task.key, **call.work, fence=call.require_newest, generation_id=generation, format=format
    )
