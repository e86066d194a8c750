"""A project's own files as an agent uses them: the workspace that it writes into, and what becomes a generation."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.apps.agents.services.acting import Acting
from backend.apps.authentication.roles import Right
from backend.apps.projects.services import workspace_commit, workspace_diff, workspace_files
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.errors import InvalidInput

LARGEST_READ = 1024 * 1024
"""Bytes of a file that an agent is given at once."""


@dataclass(frozen=True)
class AgentFiles:
    """The files of the project's own workspace. Each method is one action in the audit trail."""

    acting: Acting

    def list(self, below: str | None = None) -> list[dict[str, Any]]:
        """Return path, size in bytes and `executable` of each file, sorted by path. below: only in this directory."""
        with self.acting.on_project("files.list", Right.SEE, below=below) as project:
            found = workspace_files.list_files(project, below=below)
        return [{"path": each.path, "size": each.size, "executable": each.executable} for each in found]

    def read(self, path: str) -> dict[str, Any]:
        """Return a file's content: as text where it is UTF-8, else with `encoding` base64.

        Raises NotFound, InvalidPath, InvalidInput for a file of more than LARGEST_READ bytes.
        """
        with self.acting.on_project("files.read", Right.SEE, path=path) as project:
            data = workspace_files.read_file(project, path=path, most=LARGEST_READ)
        try:
            content, encoding = data.decode(), "utf-8"
        except UnicodeDecodeError:
            content, encoding = base64.b64encode(data).decode(), "base64"
        return {"path": path, "content": content, "encoding": encoding, "size": len(data)}

    def write(self, files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Write files, all or none. files: a list of {path, content, encoding?, executable?}.

        Raises InvalidPath, InvalidInput, QuotaExceeded, WorkspaceBusy; nothing is written then.
        """
        named = _paths(files)
        with self.acting.on_project("files.write", Right.WRITE, paths=named) as project:
            ProjectGenerator(str(project.pk)).generate(files=files)
        return {"written": named}

    def delete(self, paths: Sequence[str]) -> dict[str, Any]:
        """Delete files, and directories with all they hold; all or none. Returns which files went. Raises NotFound."""
        with self.acting.on_project("files.delete", Right.WRITE, paths=[*paths]) as project:
            return {"deleted": workspace_files.delete_files(project, paths=paths)}

    def diff(self, paths: Sequence[str] | None = None) -> dict[str, Any]:
        """Return what differs from the project's newest generation: a list of changes, and a unified diff to read."""
        with self.acting.on_project("files.diff", Right.SEE, paths=paths and [*paths]) as project:
            found = workspace_diff.compare_workspace(project=project)
            patch = workspace_diff.patch(project=project, found=found, paths=paths)
        shown = [each for each in found.files if paths is None or each.path in paths]
        return {"changes": [{"path": each.path, "status": each.status} for each in shown], "patch": patch}

    def check_out(self) -> dict[str, Any]:
        """Make the workspace hold just what the newest generation holds; what was not committed is gone.

        Returns that generation. Raises Conflict where there is none, WorkspaceBusy.
        """
        with self.acting.on_project("files.check_out", Right.WRITE) as project:
            found = workspace_commit.check_out(project=project)
        return {name: found[name] for name in ("generation", "commit", "total_files", "total_size")}

    def commit(self) -> dict[str, Any]:
        """Make a generation of what the workspace holds; `changed` is false where the newest one is just that.

        Raises Conflict for an empty workspace, WorkspaceBusy.
        """
        with self.acting.on_project("files.commit", Right.RUN) as project:
            made = workspace_commit.commit_workspace(project=project, user=self.acting.user)
        return {name: made[name] for name in ("generation", "commit", "total_files", "total_size", "changed")}


def _paths(files: Sequence[Mapping[str, Any]]) -> list[str]:
    if isinstance(files, str | bytes | Mapping) or not files:
        raise InvalidInput("Give at least one file.", field="files", expected="a list of {path, content}")
    return [str(each.get("path", "")) if isinstance(each, Mapping) else "" for each in files]
