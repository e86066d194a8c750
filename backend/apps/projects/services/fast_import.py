"""Writing one commit into a git store as a stream: `git fast-import`, fed from a tree that is read once.

It takes over the content byte for byte and decides nothing about it; `git_store` gives the commit its name.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from backend.apps.projects.errors import GitFailed, WorkspaceBusy
from backend.apps.projects.services.changes import Changes
from backend.apps.projects.services.content import (
    Content,
    ContentFile,
    Reading,
    Tree,
    chunks,
    content_file,
    empty_directories,
)
from backend.apps.projects.services.git_process import GitProcess, started
from backend.apps.projects.services.workspace import Entry
from backend.errors import InvalidInput

SMALL = 1024 * 1024
"""Bytes of a file that is read at once."""
PLAIN, EXECUTABLE = 0o100644, 0o100755
AUTHOR = b"Repomill <repomill@localhost>"


@dataclass(frozen=True)
class ImportedFile:
    """A file as git should have it: `mode` as in a tree, `identifier` the 20 bytes of the blob's SHA-1."""

    path: str
    mode: int
    identifier: bytes


@dataclass(frozen=True)
class Importer:
    """Makes one commit under `reference`. `parent` is a full commit id that the store has."""

    reference: str
    message: str
    parent: str | None
    when: datetime

    def run(
        self, tree: Tree, *, git_dir: Path, options: tuple[str, ...], timeout: float
    ) -> tuple[str, list[ImportedFile], Content]:
        """Stream the tree into the store; return the commit's id, the files it should have, and what was read.

        Raises InvalidInput for a tree without a file, WorkspaceBusy for a file that changes, GitFailed.
        """
        entries = tuple(tree.entries())
        files = [entry for entry in entries if not entry.is_directory]
        if not files:
            raise InvalidInput("There is nothing to commit: no file was generated.", hint="Generate at least one file.")
        read, imported = [], []
        with (
            started(
                # No deltas: they cost more time than they save space between files that have little in common.
                *("fast-import", "--quiet", "--done", "--depth=0", "--date-format=raw"),
                git_dir=git_dir,
                options=options,
                timeout=timeout,
            ) as process,
            tree.reading() as opener,
        ):
            process.write(self._header())
            for entry in files:
                with opener(entry.path) as stream:
                    content, file = _send(process, stream, entry)
                read.append(content)
                imported.append(file)
            process.write(b"\nget-mark :1\ndone\n")
            made = process.finish().output.decode().strip()
        if not made:
            raise GitFailed("git fast-import did not say which commit it made.")
        return made, imported, Content(files=tuple(read), empty_directories=empty_directories(entries))

    def run_changes(
        self, changes: Changes, *, base: bytes, git_dir: Path, options: tuple[str, ...], timeout: float
    ) -> tuple[str, list[ImportedFile]]:
        """Make the commit of a tree that the store has, with changes; return its id and the changed files.

        base: the tree's id, 20 bytes. Raises GitFailed.
        """
        imported = []
        with started(
            *("fast-import", "--quiet", "--done", "--depth=0", "--date-format=raw"),
            git_dir=git_dir,
            options=options,
            timeout=timeout,
        ) as process:
            process.write(self._header() + b'M 040000 %s ""\n' % base.hex().encode())
            # Removed first: a directory may take a file's place.
            for path in changes.removed:
                process.write(b"D %s\n" % _quoted(path))
            for new in changes.files:
                entry = Entry(new.path, False, new.executable, len(new.data))
                imported.append(_send(process, io.BytesIO(new.data), entry)[1])
            process.write(b"\nget-mark :1\ndone\n")
            made = process.finish().output.decode().strip()
        if not made:
            raise GitFailed("git fast-import did not say which commit it made.")
        return made, imported

    def _header(self) -> bytes:
        message, name = self.message.encode(), self.reference.encode()
        stamp = b"%s %d +0000\n" % (AUTHOR, int(self.when.timestamp()))
        lines = [
            # An object that no other import has. A pack is called after what is in it: two imports of the same content
            # at one moment, or one after another that was killed, would stand in each other's way.
            b"blob\ndata %d\n%s\n" % (len(name), name),
            b"commit %s\nmark :1\n" % name,
            b"author " + stamp,
            b"committer " + stamp,
            b"data %d\n%s\n" % (len(message), message),
        ]
        if self.parent is not None:
            lines.append(b"from %s\ndeleteall\n" % self.parent.encode())
        return b"".join(lines)


def _send(process: GitProcess, stream: BinaryIO, entry: Entry) -> tuple[ContentFile, ImportedFile]:
    mode = EXECUTABLE if entry.executable else PLAIN
    if entry.size <= SMALL:
        data = stream.read(entry.size + 1)
        if len(data) != entry.size:
            raise _changed(entry)
        process.write(b"M %o inline %s\ndata %d\n%b\n" % (mode, _quoted(entry.path), entry.size, data))
        blob = hashlib.sha1(b"blob %d\0%b" % (entry.size, data), usedforsecurity=False)
        content = content_file(entry.path, data, executable=entry.executable)
        return content, ImportedFile(path=entry.path, mode=mode, identifier=blob.digest())
    reading = Reading(entry)
    blob = hashlib.sha1(b"blob %d\0" % entry.size, usedforsecurity=False)
    process.write(b"M %o inline %s\ndata %d\n" % (mode, _quoted(entry.path), entry.size))
    for chunk in chunks(stream):
        reading.take(chunk)
        if reading.size > entry.size:
            break
        blob.update(chunk)
        process.write(chunk)
    if reading.size != entry.size:
        raise _changed(entry)
    process.write(b"\n")
    return reading.finish(), ImportedFile(path=entry.path, mode=mode, identifier=blob.digest())


def _changed(entry: Entry) -> WorkspaceBusy:
    return WorkspaceBusy(f"{entry.path!r} changed while it was read.", hint="Try again when nobody writes.")


def _quoted(path: str) -> bytes:
    """Return a path as fast-import reads it: quoted, so that no character of it ends the line."""
    return b'"' + path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
