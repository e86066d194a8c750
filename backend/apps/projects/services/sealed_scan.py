"""Looks at a workspace of which it is known what it held at a moment.

A directory's ctime, which no program can set, is the last time at which a name was added to it, taken from it or
exchanged in it. So one that has been quiet since the moment holds what it held, and is not read; any other is, with all
that lies below it. The status of each file is asked for in either case.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from backend.apps.projects.services import directory_io
from backend.apps.projects.services.directory_io import Entry, OpenDirectories


def scan_since(moment: int, root: Path, *, files: Iterable[str], directories: Iterable[str]) -> list[Entry]:
    """Return everything that is in a workspace, in no order.

    moment: by the clock of its file system, in nanoseconds. files, directories: all it held then.
    Raises InvalidPath for what is no file or directory, NotFound for what goes meanwhile.
    """
    with OpenDirectories(root) as opened:
        quiet, stirred = _quiet_and_stirred(opened.enter(""), directories, moment=moment)
        entries = [Entry(path, True, False, 0) for path in quiet if path]
        entries += _known_files(opened.enter(""), (path for path in files if path.rpartition("/")[0] in quiet))
        for path in stirred:
            entries += [Entry(path, True, False, 0)] if path else []
            entries += directory_io.scan(opened.enter(path), below=path)
    return entries


def _quiet_and_stirred(root: int, directories: Iterable[str], *, moment: int) -> tuple[set[str], list[str]]:
    """Return the directories that have not changed since the moment, and the uppermost of the others."""
    if not _is_quiet(".", root, moment):
        return set(), [""]
    quiet, stirred = {""}, []
    # A directory comes after the one that it lies in.
    for path in sorted(directories):
        if path.rpartition("/")[0] not in quiet:
            continue
        if _is_quiet(path, root, moment):
            quiet.add(path)
        else:
            stirred.append(path)
    return quiet, stirred


def _is_quiet(path: str, root: int, moment: int) -> bool:
    try:
        status = os.stat(path, dir_fd=root, follow_symlinks=False)
    except OSError:
        # Whatever it is, it comes to light where it is opened.
        return False
    # A clock has its grain: what changed in the moment may have changed after it.
    return stat.S_ISDIR(status.st_mode) and 0 < status.st_ctime_ns < moment


def _known_files(root: int, paths: Iterable[str]) -> Iterable[Entry]:
    for path in paths:
        try:
            status = os.stat(path, dir_fd=root, follow_symlinks=False)
        except OSError as error:
            raise directory_io.meaning(error, path) from error
        yield directory_io.file_entry(status, path)
