"""The bytes of one file of a generation, from the project's git store: whatever became of the workspace."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from typing import BinaryIO, cast

from backend.apps.projects.models import ProjectFile
from backend.apps.projects.services.content import chunks
from backend.apps.projects.services.git_process import started
from backend.apps.projects.services.git_store import GitStore
from backend.errors import NotFound

IN_MEMORY = 1024 * 1024
"""Bytes of a file that are kept in memory; what is larger goes to a temporary file."""
SECONDS = 60.0


def open_recorded(file: ProjectFile) -> BinaryIO:
    """Return a file's bytes as they were recorded, to be read and sought in; the caller closes it.

    file: with its generation. Raises NotFound where the store has them no longer, or others.
    """
    generation = file.generated_project
    store = GitStore.for_project(generation.project_id)
    store.bring(generation.commit)
    if not generation.commit or not store.exists():
        raise NotFound("The file's content is no longer there.", path=file.file_path)
    found = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  (the caller closes it)
    try:
        # One process finds the file in the commit's trees and gives it: quick, however many files there are.
        wanted = ("cat-file", "blob", f"{generation.commit}:{file.file_path}")
        with started(*wanted, git_dir=store.path, timeout=SECONDS, output_limit=None) as process:
            digest = copied(cast(BinaryIO, process.output), found.write)
        if digest != file.content_hash:
            raise NotFound("The file's content is not what was recorded.", path=file.file_path)
        found.seek(0)
    except BaseException:
        found.close()
        raise
    return cast(BinaryIO, found)


def copied(source: BinaryIO, write: Callable[[bytes], object]) -> str:
    """Write everything that is left of a stream, and return its SHA-256."""
    digest = hashlib.sha256()
    for chunk in chunks(source):
        digest.update(chunk)
        write(chunk)
    return digest.hexdigest()
