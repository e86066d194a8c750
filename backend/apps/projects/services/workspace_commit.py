"""Makes a generation of what a project's own workspace holds, and brings the workspace to what the newest one holds.

The callers have checked what the user may do.
"""

from __future__ import annotations

import base64
from typing import Any

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import newest_generation
from backend.apps.projects.services.content import empty_directories
from backend.apps.projects.services.generations import as_result, generate
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.recorded_files import recorded_content
from backend.apps.projects.services.structure import Plan
from backend.apps.projects.services.text_diff import as_text
from backend.apps.projects.services.working_copy import bring_to
from backend.apps.projects.services.workspace import Entry, Workspace
from backend.apps.projects.services.workspace_diff import differences
from backend.apps.projects.services.workspace_files import workspace_of
from backend.errors import Conflict


def check_out(*, project: Project) -> dict[str, Any]:
    """Make the workspace hold just what the project's newest generation holds; what was not committed is gone.

    Returns that generation. Raises Conflict where there is none, or it is no longer whole; WorkspaceBusy.
    """
    newest = newest_generation(project=project, execution_id=None)
    content = recorded_content(newest) if newest is not None else None
    if newest is None or content is None:
        raise Conflict("The project has no generation to begin with.", hint="Write files, and commit them.")
    workspace = workspace_of(project)
    with workspace.writing():
        bring_to(
            content,
            workspace=workspace,
            plan=Plan(),
            recorded=None,
            seal="",
            store=GitStore.for_project(project.pk),
            commit=newest.commit,
        )
    return as_result(newest)


def commit_workspace(*, project: Project, user: User) -> dict[str, Any]:
    """Make a generation of what the workspace holds and return it; the newest one where nothing has changed since.

    Raises Conflict for an empty workspace, WorkspaceBusy, and as `generations.generate` does.
    """
    workspace = workspace_of(project)
    with workspace.writing():
        entries = list(workspace.entries()) if workspace.exists() else []
        if all(entry.is_directory for entry in entries):
            raise Conflict("The project's workspace has no file.", hint="Write at least one file first.")
        newest = newest_generation(project=project, execution_id=None)
        recorded = recorded_content(newest) if newest is not None else None
        if newest is not None and recorded is not None and not differences(recorded, workspace):
            return {**as_result(newest), "changed": False}
        files = [_item(workspace, entry) for entry in entries if not entry.is_directory]
        empty: dict[str, list[str]] = {path: [] for path in empty_directories(entries)}
        result = generate(project=project, user=user, execution_id=None, files=files, structure=empty)
    return {**result, "changed": True}


def _item(workspace: Workspace, entry: Entry) -> dict[str, Any]:
    with workspace.open(entry.path) as file:
        data = file.read()
    text = as_text(data)
    content = {"content": base64.b64encode(data).decode(), "encoding": "base64"} if text is None else {"content": text}
    return {"path": entry.path, "executable": entry.executable, **content}
