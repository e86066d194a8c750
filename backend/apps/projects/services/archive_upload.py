"""Writes the files of an archive that a caller sends into a project's own workspace, all of them or none.

Everything in it is read and checked, also against what is there, before the first byte is written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

from backend.apps.authentication.models import User
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.archive_formats import unpack_tar, unpack_tar_gz, unpack_zip
from backend.apps.projects.services.limits import MIB, Limits
from backend.apps.projects.services.unpacking import Unpacking
from backend.apps.projects.services.workspace_files import workspace_of

LARGEST_ARCHIVE = 256 * MIB
"""Bytes that an archive itself may have."""

FORMATS: dict[str, Callable[[BinaryIO, BinaryIO, Unpacking], None]] = {
    "zip": unpack_zip,
    "tar": unpack_tar,
    "tar.gz": unpack_tar_gz,
}


@dataclass(frozen=True)
class WrittenArchive:
    """What an archive has changed. replaced: how many of its files were there before. size: bytes of all its files."""

    files: int
    directories: int
    replaced: int
    size: int


def write_archive(*, user: User, project_id: UUID, archive: BinaryIO, format: str) -> WrittenArchive:
    """Write an archive's files over what is there; what is not in it stays as it is.

    archive: a file on the disk. format: of FORMATS.
    Raises NotFound, PermissionRefused, InvalidArchive, InvalidPath, QuotaExceeded and WorkspaceBusy; nothing is changed
    then.
    """
    project = get_project(user=user, project_id=project_id, write=True)
    workspace = workspace_of(project)
    size = archive.seek(0, os.SEEK_END)
    archive.seek(0)
    with tempfile.TemporaryFile() as spool:
        found = Unpacking(archive_bytes=size, limits=Limits())
        FORMATS[format](archive, spool, found)
        with workspace.writing():
            there = {entry.path for entry in workspace.entries()} if workspace.exists() else set()
            workspace.write_many(found.files, found.directories)
    return WrittenArchive(
        files=len(found.files),
        directories=len(found.directories),
        replaced=sum(file.path in there for file in found.files),
        size=found.total,
    )
