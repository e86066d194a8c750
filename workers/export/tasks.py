"""Tasks of RepositoryExporter: one for each method. Each records its delivery as a RepositoryExport."""

from __future__ import annotations

from typing import Any

from backend.apps.exports.services.deliver import deliver_archive, deliver_to_git
from workers.call import TaskCall
from workers.service_task import service_task


@service_task("export.export_to_git")
def export_to_git(
    call: TaskCall, *, repository_name: str | None = None, url: str | None = None, branch: str = "main"
) -> dict[str, Any]:
    """Push the execution's generation to a git remote."""
    return deliver_to_git(key=call.task.key, **call.work, repository_name=repository_name, url=url, branch=branch)


@service_task("export.export_as_zip")
def export_as_zip(call: TaskCall) -> dict[str, Any]:
    """Deliver the execution's generation as a zip archive."""
    return deliver_archive(key=call.task.key, **call.work, format="zip")


@service_task("export.export_as_tar")
def export_as_tar(call: TaskCall, *, compressed: bool = True) -> dict[str, Any]:
    """Deliver the execution's generation as a tar archive, by default compressed with gzip."""
    return deliver_archive(key=call.task.key, **call.work, format="tar.gz" if compressed else "tar")
