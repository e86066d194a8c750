"""Packaging a tree as zip, tar or tar.gz.

Regular files and directories only, sorted, with fixed times, owners and modes, so that the same content gives the same
bytes; streamed, so that memory does not grow with the project; published whole under its name or not at all. The
content's own digest is taken on the way, and an archive of other content than was asked for is not published.

It compresses with ISA-L, a deflate for speed; docs/decisions/0013-archives.md has the figures.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedWriter, RawIOBase
from pathlib import Path
from typing import IO, Any, BinaryIO

from isal import igzip_threaded

from backend.apps.projects.services.archive_publishing import Publisher, published
from backend.apps.projects.services.content import (
    DeflatedFile,
    Tree,
    digest_of,
    empty_directories,
)
from backend.apps.projects.services.workspace import Entry
from backend.apps.projects.services.zip_writer import AT_ONCE, ZipWriter
from backend.errors import Conflict, InvalidInput

# 1980-01-01: the oldest date that a zip can hold; tar takes the same, because 1970 makes GNU tar warn.
SECONDS = 315_532_800
BUFFER = 1024 * 1024
GZIP_THREADS = 2
LEVEL = 3
LARGEST_USTAR = 8**11


@dataclass(frozen=True)
class ArchiveFile:
    """A published archive: where it lies, its bytes, and its SHA-256."""

    path: Path
    format: str
    size: int
    digest: str


def write_archive(
    *,
    workspace: Tree,
    target: Path,
    format: str,
    top: str | None = None,
    content_digest: str | None = None,
    publisher: Publisher | None = None,
) -> ArchiveFile:
    """Package a tree into the file `target`, replacing what is there.

    workspace: a `Workspace`, or any other tree of files.
    format: zip, tar or tar.gz.
    top: a directory inside the archive that everything is put into; none by default.
    content_digest: what the content must be; unchecked by default.
    publisher: who publishes it while others are written; it counts once that is left. By default it is published here.
    Raises InvalidInput for another format, Conflict for other content, InvalidPath for a link in the workspace. Nothing
    is left behind then.
    """
    pack = _WRITERS.get(format) if isinstance(format, str) else None
    if pack is None:
        raise InvalidInput(
            f"There is no archive format {str(format)[:50]!r}.",
            field="format",
            expected=list(_WRITERS),
            hint="Choose one.",
        )

    def write(output: IO[bytes]) -> None:
        found = pack(workspace, output, f"{top}/" if top else "")
        if content_digest is not None and found != content_digest:
            raise Conflict("The files are no longer those that were generated.", hint="Generate the project again.")

    return published_archive(target, format=format, write=write, publisher=publisher)


def published_archive(
    target: Path, *, format: str, write: Callable[[IO[bytes]], None], publisher: Publisher | None
) -> ArchiveFile:
    """Publish what `write` writes, and say what it is; nothing is left where it raises.

    publisher: see `write_archive`.
    """
    with published(target, publisher=publisher) as file:
        output = _Output(file)
        with BufferedWriter(output, BUFFER) as buffered:
            write(buffered)
    return ArchiveFile(path=target, format=format, size=output.size, digest=output.hash.hexdigest())


class _Output(RawIOBase):
    """The archive being written: counts and hashes on the way. It cannot seek, so no byte is changed afterwards."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = 0
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  (any buffer)
        self._file.write(data)
        self.hash.update(data)
        self.size += len(data)
        return len(data)


class _Watched:
    """A file of the tree while the archive reads it: no more and no fewer bytes than it had when it was listed."""

    def __init__(self, stream: BinaryIO, entry: Entry) -> None:
        self._stream = stream
        self._entry = entry
        self._hash = hashlib.sha256()
        self._size = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, never one more than was listed: `finish` finds those."""
        data = self._stream.read(min(size, self._entry.size - self._size))
        self._hash.update(data)
        self._size += len(data)
        return data

    def finish(self) -> str:
        """Return the SHA-256 of what was read. Raises Conflict unless the file has just what was listed."""
        if self._stream.read(1) or self._size != self._entry.size:
            raise _changed(self._entry)
        return self._hash.hexdigest()


def _whole(stream: BinaryIO, entry: Entry) -> bytes:
    data = stream.read(entry.size + 1)
    if len(data) != entry.size:
        raise _changed(entry)
    return data


def _changed(entry: Entry) -> Conflict:
    return Conflict(f"{entry.path!r} changed while it was packaged.", path=entry.path)


class _Zip:
    def __init__(self, output: IO[bytes], stack: ExitStack) -> None:
        self._zip = ZipWriter(output)
        stack.callback(self._zip.finish)

    def directory(self, name: str) -> None:
        self._zip.add_directory(name)

    def small_file(self, name: str, entry: Entry, data: bytes, stream: BinaryIO) -> None:
        deflated = stream.deflated if isinstance(stream, DeflatedFile) else None
        self._zip.add_small_file(name, data, executable=entry.executable, deflated=deflated)

    def file(self, name: str, entry: Entry, stream: _Watched) -> None:
        chunks = iter(lambda: stream.read(BUFFER), b"")
        self._zip.add_file(name, chunks, size=entry.size, executable=entry.executable)


class _Tar:
    def __init__(self, output: IO[bytes], stack: ExitStack) -> None:
        self._output = output
        stack.callback(self._end)
        self._written = 0

    def directory(self, name: str) -> None:
        self._header(name, tarfile.DIRTYPE, 0o755, 0)

    def small_file(self, name: str, entry: Entry, data: bytes, _stream: BinaryIO) -> None:
        self._header(name, tarfile.REGTYPE, 0o755 if entry.executable else 0o644, entry.size)
        self._write(data)
        self._write(bytes(-entry.size % tarfile.BLOCKSIZE))

    def file(self, name: str, entry: Entry, stream: _Watched) -> None:
        self._header(name, tarfile.REGTYPE, 0o755 if entry.executable else 0o644, entry.size)
        while data := stream.read(BUFFER):
            self._write(data)
        self._write(bytes(-entry.size % tarfile.BLOCKSIZE))

    def _header(self, name: str, kind: bytes, mode: int, size: int) -> None:
        # Directories end with a slash, which makes them one character longer.
        if name.isascii() and len(name) < tarfile.LENGTH_NAME and size < LARGEST_USTAR:
            self._write(_ustar_header(name, kind, mode, size))
            return
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.mtime, info.size = kind, mode, SECONDS, size
        self._write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict"))

    def _end(self) -> None:
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._write(bytes(-self._written % tarfile.RECORDSIZE))

    def _write(self, data: bytes) -> None:
        self._output.write(data)
        self._written += len(data)


@lru_cache(maxsize=64)
def _ustar_parts(kind: bytes, mode: int) -> tuple[bytes, bytes, int]:
    """Return what of a header is the same for all names and sizes: before the size, after the checksum, and its sum."""
    info = tarfile.TarInfo("")
    info.type, info.mode, info.mtime = kind, mode, SECONDS
    block = info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
    time = b"%011o\0" % SECONDS
    # The checksum's own eight bytes count as spaces.
    return block[100:124], block[156:], sum(block[100:124]) + sum(time) + sum(block[156:]) + 8 * ord(" ")


def _ustar_header(name: str, kind: bytes, mode: int, size: int) -> bytes:
    """Return the block that tarfile would make, without the checks that our entries have passed."""
    if kind == tarfile.DIRTYPE:
        name += "/"
    owner, rest, same = _ustar_parts(kind, mode)
    called, length = name.encode(), b"%011o\0" % size
    checksum = same + sum(called) + sum(length)
    return b"%b%b%b%011o\0%06o\0 %b" % (called.ljust(100, b"\0"), owner, length, SECONDS, checksum, rest)


class _TarGz(_Tar):
    def __init__(self, output: IO[bytes], stack: ExitStack) -> None:
        compressed = stack.enter_context(
            igzip_threaded.open(  # type: ignore[no-untyped-call]  # isal has no types for it
                output, "wb", compresslevel=LEVEL, threads=GZIP_THREADS, block_size=BUFFER
            )
        )
        super().__init__(compressed, stack)


def _writer(kind: type[_Zip | _Tar]) -> Callable[[Tree, IO[bytes], str], str]:
    def write(tree: Tree, output: IO[bytes], prefix: str) -> str:
        """Write the archive, and return the digest of the content that was read for it."""
        entries = tuple(tree.entries())
        files = []
        with tree.reading() as opener, ExitStack() as stack:
            archive = kind(output, stack)
            if prefix:
                archive.directory(prefix.rstrip("/"))
            for entry in entries:
                if entry.is_directory:
                    archive.directory(prefix + entry.path)
                    continue
                with opener(entry.path) as stream:
                    if entry.size <= AT_ONCE:
                        data = _whole(stream, entry)
                        archive.small_file(prefix + entry.path, entry, data, stream)
                        files.append((entry.path, entry.executable, hashlib.sha256(data).hexdigest()))
                        continue
                    watched = _Watched(stream, entry)
                    archive.file(prefix + entry.path, entry, watched)
                    files.append((entry.path, entry.executable, watched.finish()))
        return digest_of(files, empty=empty_directories(entries))

    return write


_WRITERS = {"zip": _writer(_Zip), "tar": _writer(_Tar), "tar.gz": _writer(_TarGz)}
