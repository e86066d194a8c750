"""Tasks of RepositoryExporter: one for each method. Each records its delivery as a RepositoryExport."""

from __future__ import annotations

from typing import Any

from backend.apps.exports.services.deliver import deliver_to_git
from workers.call import TaskCall
from workers.service_task import service_task


@service_task("export.export_to_git")
def export_to_git(
    call: TaskCall, *, repository_name: str | None = None, url: str | None = None, branch: str = "main"
) -> dict[str, Any]:
    """Push the execution's generation to a git remote."""
    return deliver_to_git(key=call.task.key, **call.work, repository_name=repository_name, url=url, branch=branch)
