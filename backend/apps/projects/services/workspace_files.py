"""A project's own workspace, file by file: what is there, and how it differs from the project's newest generation.

Callers write through `ProjectGenerator`, and have checked what the user may do. What lies in the workspace is a draft:
it becomes part of the project's history, and can be packaged and delivered, once `commit_workspace` has made a
generation of it.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from backend.apps.authentication.models import User
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.selectors import newest_generation
from backend.apps.projects.services.content import chunks, empty_directories
from backend.apps.projects.services.generations import as_result, generate
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.paths import validate_path
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.projects.services.recorded_files import recorded_content
from backend.apps.projects.services.structure import Plan
from backend.apps.projects.services.working_copy import bring_to
from backend.apps.projects.services.workspace import Entry, Workspace
from backend.errors import Conflict, InvalidInput, NotFound

LARGEST_SHOWN = 1024 * 1024
"""Bytes of a file of which a diff shows the lines."""
LONGEST_PATCH = 200_000
"""Characters of a patch; what would be longer is cut off, and says so."""


@dataclass(frozen=True)
class WorkspaceChange:
    """One file that differs from the newest generation. status: added, changed or removed."""

    path: str
    status: str
    size: int
    """Bytes in the workspace; 0 for a removed file."""


def list_files(*, project: Project, below: str | None = None) -> list[Entry]:
    """Return the files of the workspace, sorted by path. below: only what lies in this directory.

    Raises InvalidPath for a directory that cannot be one, and where something else than files has got in.
    """
    prefix = f"{validate_path(below.rstrip('/'))}/" if below else ""
    return [
        entry for entry in _entries(_workspace(project)) if not entry.is_directory and entry.path.startswith(prefix)
    ]


def read_file(*, project: Project, path: str, most: int | None = None) -> bytes:
    """Return a file's bytes. most: how many at most. Raises InvalidPath, NotFound, InvalidInput for a larger one."""
    workspace = _workspace(project)
    if not workspace.exists():
        raise NotFound(f"There is no {path[:200]!r} in the workspace.", path=path[:200])
    with workspace.open(path) as file:
        data = file.read() if most is None else file.read(most + 1)
    if most is not None and len(data) > most:
        raise InvalidInput(
            f"{path!r} is larger than {most:,} bytes.", path=path, field="path", hint="Download it, or an archive."
        )
    return data


def delete_files(*, project: Project, paths: Sequence[str]) -> list[str]:
    """Remove files, and directories with all they hold; return the paths of the files that went.

    All or nothing: raises InvalidPath, or NotFound for a path that is not there, before anything is removed;
    WorkspaceBusy.
    """
    named = [validate_path(path.rstrip("/")) for path in paths]
    workspace = _workspace(project)
    with workspace.writing():
        there = list(_entries(workspace))
        gone = [entry for entry in there if any(_lies_in(entry.path, path) for path in named)]
        for path in named:
            if not any(_lies_in(entry.path, path) for entry in gone):
                raise NotFound(f"There is no {path!r} in the workspace.", path=path, field="paths")
        workspace.rearrange(
            remove_files=[entry.path for entry in gone if not entry.is_directory],
            remove_directories=[entry.path for entry in gone if entry.is_directory],
        )
    return [entry.path for entry in gone if not entry.is_directory]


def changes(*, project: Project) -> list[WorkspaceChange]:
    """Return the files that differ from the project's newest generation, sorted by path; all, where there is none."""
    base = newest_generation(project=project, execution_id=None)
    before = _recorded(base) if base is not None else {}
    workspace = _workspace(project)
    found = {}
    for entry in _entries(workspace):
        if entry.is_directory:
            continue
        if before.get(entry.path) != (entry.size, entry.executable, _digest(workspace, entry.path)):
            status = "changed" if entry.path in before else "added"
            found[entry.path] = WorkspaceChange(entry.path, status, entry.size)
        before.pop(entry.path, None)
    found |= {path: WorkspaceChange(path, "removed", 0) for path in before}
    return [found[path] for path in sorted(found)]


def patch(*, project: Project, paths: Sequence[str] | None = None) -> str:
    """Return the unified diff from the newest generation to the workspace; large and binary files are only named.

    paths: only these files. It is for people and models to read, and cut after LONGEST_PATCH characters.
    """
    wanted = None if paths is None else {validate_path(path) for path in paths}
    shown = [each for each in changes(project=project) if wanted is None or each.path in wanted]
    base = newest_generation(project=project, execution_id=None)
    length = 0
    parts: list[str] = []
    for each in shown:
        for line in _compared(each, project=project, base=base):
            length += len(line)
            if length > LONGEST_PATCH:
                return "".join([*parts, "... and more; name the paths to see the rest.\n"])
            parts.append(line)
    return "".join(parts)


def check_out(*, project: Project) -> dict[str, Any]:
    """Make the workspace hold just what the project's newest generation holds; what was not committed is gone.

    Returns that generation. Raises Conflict where there is none, or it is no longer whole; WorkspaceBusy.
    """
    newest = newest_generation(project=project, execution_id=None)
    content = recorded_content(newest) if newest is not None else None
    if newest is None or content is None:
        raise Conflict("The project has no generation to begin with.", hint="Write files, and commit them.")
    workspace = _workspace(project)
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
    workspace = _workspace(project)
    with workspace.writing():
        entries = list(_entries(workspace))
        if all(entry.is_directory for entry in entries):
            raise Conflict("The project's workspace has no file.", hint="Write at least one file first.")
        newest = newest_generation(project=project, execution_id=None)
        if newest is not None and not changes(project=project):
            return {**as_result(newest), "changed": False}
        files = [_item(workspace, entry) for entry in entries if not entry.is_directory]
        empty: dict[str, list[str]] = {path: [] for path in empty_directories(entries)}
        result = generate(project=project, user=user, execution_id=None, files=files, structure=empty)
    return {**result, "changed": True}


def _workspace(project: Project) -> Workspace:
    return ProjectGenerator(str(project.pk)).workspace


def _entries(workspace: Workspace) -> Iterator[Entry]:
    return workspace.entries() if workspace.exists() else iter(())


def _lies_in(path: str, named: str) -> bool:
    return path == named or path.startswith(f"{named}/")


def _digest(workspace: Workspace, path: str) -> str:
    digest = hashlib.sha256()
    with workspace.open(path) as file:
        for chunk in chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def _recorded(generation: GeneratedProject) -> dict[str, tuple[int, bool, str]]:
    content = recorded_content(generation)
    return {} if content is None else {file.path: (file.size, file.executable, file.digest) for file in content.files}


def _item(workspace: Workspace, entry: Entry) -> dict[str, Any]:
    with workspace.open(entry.path) as file:
        data = file.read()
    text = _as_text(data)
    content = {"content": base64.b64encode(data).decode(), "encoding": "base64"} if text is None else {"content": text}
    return {"path": entry.path, "executable": entry.executable, **content}


def _compared(change: WorkspaceChange, *, project: Project, base: GeneratedProject | None) -> list[str]:
    old = (
        b""
        if change.status == "added" or base is None
        else GitStore.for_project(project.pk).file(base.commit, change.path)
    )
    new = b"" if change.status == "removed" else read_file(project=project, path=change.path)
    texts = [_as_text(data) if len(data) <= LARGEST_SHOWN else None for data in (old, new)]
    if None in texts:
        return [f"{change.status} {change.path} (binary or large, {len(old):,} to {len(new):,} bytes)\n"]
    before, after = ([] if text is None else text.splitlines(keepends=True) for text in texts)
    names = (
        "/dev/null" if change.status == "added" else f"a/{change.path}",
        "/dev/null" if change.status == "removed" else f"b/{change.path}",
    )
    lines = difflib.unified_diff(before, after, *names)
    return [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]


def _as_text(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
