"""Writing one commit into a git store as a stream: `git fast-import`, fed from a tree that is read once.

It takes over the content byte for byte and decides nothing about it; `git_store` gives the commit its name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from backend.apps.projects.errors import GitFailed, WorkspaceBusy
from backend.apps.projects.services.content import Content, ContentFile, Reading, Tree, chunks, empty_directories
from backend.apps.projects.services.git_process import GitProcess, started
from backend.apps.projects.services.workspace import Entry
from backend.errors import InvalidInput

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

    def _header(self) -> bytes:
        message = self.message.encode()
        stamp = b"%s %d +0000\n" % (AUTHOR, int(self.when.timestamp()))
        lines = [
            b"commit %s\nmark :1\n" % self.reference.encode(),
            b"author " + stamp,
            b"committer " + stamp,
            b"data %d\n%s\n" % (len(message), message),
        ]
        if self.parent is not None:
            lines.append(b"from %s\ndeleteall\n" % self.parent.encode())
        return b"".join(lines)


def _send(process: GitProcess, stream: BinaryIO, entry: Entry) -> tuple[ContentFile, ImportedFile]:
    mode = 0o100755 if entry.executable else 0o100644
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
        raise WorkspaceBusy(f"{entry.path!r} changed while it was read.", hint="Try again when nobody writes.")
    process.write(b"\n")
    return reading.finish(), ImportedFile(path=entry.path, mode=mode, identifier=blob.digest())


def _quoted(path: str) -> bytes:
    """Return a path as fast-import reads it: quoted, so that no character of it ends the line."""
    return b'"' + path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
