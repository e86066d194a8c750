"""The files of a project's own workspace, for people and agents that edit a project directly.

Everything goes through `workspace`: its paths, its quotas, and one writer at a time. A write can name what it expects
to replace, so that nobody overwrites what they have not seen. The files of generations are not changed by any of it:
what lies here is a draft until `workspace_commit` has made a generation of it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

from backend.apps.authentication.models import User
from backend.apps.projects.errors import FileChanged
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.content import chunks
from backend.apps.projects.services.paths import validate_path
from backend.apps.projects.services.workspace import Entry, NewFile, Workspace
from backend.errors import InvalidInput, NotFound

ANY = "*"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must be there for a write to be done. digests: one of these, or with `*` anything; None asks for nothing.

    absent: nothing at all.
    """

    digests: frozenset[str] | None = None
    absent: bool = False

    def require(self, digest: str | None, *, path: str) -> None:
        """Raise FileChanged unless what is there (None: nothing) is what is expected."""
        met = self.digests is None or (digest is not None and bool(self.digests & {ANY, digest}))
        if not met or (self.absent and digest is not None):
            raise FileChanged(path=path, digest=digest, hint="Read the file again, and write with its new ETag.")


@dataclass(frozen=True)
class OpenFile:
    """A file open for reading, its size in bytes, and its SHA-256."""

    stream: BinaryIO
    size: int
    digest: str


@dataclass(frozen=True)
class WrittenFile:
    """A file that was written. created: nothing was there before."""

    path: str
    size: int
    digest: str
    executable: bool
    created: bool


def workspace_of(project: Project) -> Workspace:
    """Return the project's own workspace, which need not be there."""
    return Workspace(Path(settings.GENERATED_PROJECTS_DIR) / str(project.pk))


def files_of(workspace: Workspace) -> Iterator[Entry]:
    """Yield the files by path, none where there is no workspace. Raises as `Workspace.entries` does."""
    entries = workspace.entries() if workspace.exists() else iter(())
    return (entry for entry in entries if not entry.is_directory)


def list_files(
    project: Project, *, below: str | None = None, after: str = "", prefix: str = "", limit: int | None = None
) -> list[Entry]:
    """Return the next files by path: those that come after one and begin so.

    below: only what lies in this directory. limit: how many at most. Raises InvalidPath for a directory that cannot be
    one, and as `Workspace.entries` does.
    """
    if below:
        prefix = f"{validate_path(below.rstrip('/'))}/"
    found = (each for each in files_of(workspace_of(project)) if each.path > after and each.path.startswith(prefix))
    return list(islice(found, limit))


def open_file(project: Project, *, path: str) -> OpenFile:
    """Open a file; the caller closes its stream. Raises InvalidPath, NotFound."""
    workspace = workspace_of(project)
    validate_path(path)
    if not workspace.exists():
        raise _missing(path)
    stream = workspace.open(path)
    try:
        digest = _digest(stream)
        size = stream.tell()
        stream.seek(0)
    except BaseException:
        stream.close()
        raise
    return OpenFile(stream, size, digest)


def read_file(project: Project, *, path: str, most: int) -> bytes:
    """Return a file's bytes, `most` of them. Raises InvalidPath, NotFound, InvalidInput for a larger file."""
    workspace = workspace_of(project)
    validate_path(path)
    if not workspace.exists():
        raise _missing(path)
    with workspace.open(path) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise InvalidInput(
            f"{path!r} is larger than {most:,} bytes.", path=path, field="path", hint="Download it, or an archive."
        )
    return data


def write_file(
    *, user: User, project_id: UUID, path: str, data: bytes, executable: bool | None = None, expected: Expected
) -> WrittenFile:
    """Write a file and its directories. executable: None keeps what it is.

    Raises NotFound, PermissionRefused, InvalidPath, QuotaExceeded, WorkspaceBusy, and FileChanged where something else
    is there than was expected; nothing is changed then.
    """
    project = get_project(user=user, project_id=project_id, write=True)
    validate_path(path)
    workspace = workspace_of(project)
    with workspace.writing():
        before = _state(workspace, path)
        expected.require(before.digest, path=path)
        mode = before.executable if executable is None else executable
        workspace.write_many([NewFile(path, data, mode)])
    digest = hashlib.sha256(data).hexdigest()
    return WrittenFile(path, len(data), digest, mode, created=before.digest is None)


def delete_file(*, user: User, project_id: UUID, path: str, expected: Expected) -> None:
    """Delete a file; its directory stays. Raises as `write_file` does, and NotFound where no file is there."""
    project = get_project(user=user, project_id=project_id, write=True)
    validate_path(path)
    workspace = workspace_of(project)
    if not workspace.exists():
        raise _missing(path)
    with workspace.writing():
        digest = _state(workspace, path).digest
        if digest is None:
            raise _missing(path)
        expected.require(digest, path=path)
        workspace.rearrange(remove_files=[path])


def delete_files(project: Project, *, paths: Sequence[str]) -> list[str]:
    """Remove files, and directories with all they hold; return the paths of the files that went.

    All or nothing: raises InvalidPath, or NotFound for a path that is not there, before anything is removed;
    WorkspaceBusy. The caller has checked what the user may do.
    """
    named = [validate_path(path.rstrip("/")) for path in paths]
    workspace = workspace_of(project)
    with workspace.writing():
        there = list(workspace.entries()) if workspace.exists() else []
        gone = _those_in(there, set(named))
        missing = set(named) - {entry.path for entry in gone}
        for path in named:
            if path in missing:
                raise NotFound(f"There is no {path!r} in the workspace.", path=path, field="paths")
        files = [entry.path for entry in gone if not entry.is_directory]
        workspace.rearrange(remove_files=files, remove_directories=[entry.path for entry in gone if entry.is_directory])
    return files


def digests_of(workspace: Workspace, paths: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of files by their paths, which are sorted."""
    found = {}
    with workspace.reading() as opener:
        for path in paths:
            with opener(path) as stream:
                found[path] = _digest(stream)
    return found


@dataclass(frozen=True)
class _State:
    digest: str | None
    executable: bool = False


def _state(workspace: Workspace, path: str) -> _State:
    if not workspace.exists():
        return _State(None)
    try:
        stream = workspace.open(path)
    except NotFound:
        return _State(None)
    with stream:
        executable = bool(os.fstat(stream.fileno()).st_mode & stat.S_IXUSR)
        return _State(_digest(stream), executable)


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    for chunk in chunks(stream):
        digest.update(chunk)
    return digest.hexdigest()


def _those_in(entries: Iterable[Entry], named: set[str]) -> list[Entry]:
    """Return the entries that are named or lie in what is. A directory comes before what lies in it."""
    taken: set[str] = set()
    found = []
    for entry in entries:
        if entry.path in named or entry.path.rpartition("/")[0] in taken:
            found.append(entry)
            if entry.is_directory:
                taken.add(entry.path)
    return found


def _missing(path: str) -> NotFound:
    return NotFound(f"There is no file {path!r}.", path=path)
