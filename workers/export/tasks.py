"""Tasks of RepositoryExporter: one for each method. Each records its delivery as a RepositoryExport."""

from __future__ import annotations

from typing import Any

from backend.apps.exports.services.deliver import (
    deliver_archive,
    deliver_to_git,
    deliver_to_github,
    deliver_to_gitlab,
)
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
) -> dict[str, Any]:
    """Push the execution's generation to a git remote."""
    return deliver_to_git(
        key=call.task.key,
        **call.work,
        repository_name=repository_name,
        url=url,
        branch=branch,
        credential=credential,
    )


@service_task("export.export_to_github")
def export_to_github(
    call: TaskCall,
    *,
    credential: str,
    repository_name: str,
    organization: str | None = None,
    private: bool = True,
    description: str = "",
    topics: list[str] | None = None,
    branch: str = "main",
) -> dict[str, Any]:
    """Push the execution's generation to a repository on GitHub, which is made when it is missing."""
    return deliver_to_github(
        key=call.task.key,
        **call.work,
        credential=credential,
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
    credential: str,
    project_name: str,
    namespace: str | None = None,
    visibility: str = "private",
    description: str = "",
    topics: list[str] | None = None,
    branch: str = "main",
) -> dict[str, Any]:
    """Push the execution's generation to a project on GitLab, which is made when it is missing."""
    return deliver_to_gitlab(
        key=call.task.key,
        **call.work,
        credential=credential,
        project_name=project_name,
        namespace=namespace,
        visibility=visibility,
        description=description,
        topics=topics or (),
        branch=branch,
    )


@service_task("export.export_as_zip")
def export_as_zip(call: TaskCall) -> dict[str, Any]:
    """Deliver the execution's generation as a zip archive."""
    return deliver_archive(key=call.task.key, **call.work, format="zip")


@service_task("export.export_as_tar")
def export_as_tar(call: TaskCall, *, compressed: bool = True) -> dict[str, Any]:
    """Deliver the execution's generation as a tar archive, by default compressed with gzip."""
    return deliver_archive(key=call.task.key, **call.work, format="tar.gz" if compressed else "tar")
