"""Reads the archives that callers send: zip, tar and tar.gz, entry by entry, and never by `extract`.

Only regular files and directories come out; an entry that is anything else, or that another reader could understand in
another way, is refused and not skipped. Names and sizes are checked by `unpacking`.
"""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from backend.apps.projects.errors import InvalidArchive
from backend.apps.projects.services.content import chunks
from backend.apps.projects.services.limits import MIB, Limits
from backend.apps.projects.services.paths import invalid_path
from backend.apps.projects.services.unpacking import UnpackedFile, Unpacking

LONGEST_DIRECTORY = 8 * MIB
"""Bytes of a zip's list of its entries, which Python reads at once and which no compression limits."""
LONGEST_HEADER = MIB
"""Bytes of a tar's header with its extensions, likewise."""
BLOCK = tarfile.BLOCKSIZE
ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Bits of a zip entry's flags: encrypted, strongly, or with a hidden list of entries."""

_NONSENSE = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error),
    *(EOFError, NotImplementedError, RecursionError, ValueError, OverflowError),
)
"""What Python's readers raise for bytes that make no sense. No other OSError: a full disk is nobody's archive."""


def unpack_zip(archive: BinaryIO, spool: BinaryIO, found: Unpacking) -> None:
    """Read a zip's entries, their bytes into the spool. Raises as `Unpacking` does."""
    with _understood("zip"), zipfile.ZipFile(cast(IO[bytes], _Bounded(archive, LONGEST_DIRECTORY))) as opened:
        for entry in opened.infolist():
            # The name as it stands there: `filename` ends at a NUL.
            name = entry.orig_filename
            _require_plain(entry, name)
            if name.endswith("/"):
                if entry.file_size:
                    raise invalid_path(name[:-1], "file-and-directory")
                found.add_directory(name[:-1])
                continue
            found.expect_file(name, size=entry.file_size)
            offset, size = spool.tell(), 0
            with opened.open(entry) as content:
                for chunk in chunks(cast(BinaryIO, content)):
                    size += len(chunk)
                    found.grew(len(chunk), path=name)
                    spool.write(chunk)
            if size != entry.file_size:
                raise InvalidArchive("The entry has not the size that the archive says.", path=name)
            executable = bool(entry.external_attr >> 16 & stat.S_IXUSR)
            found.add_file(UnpackedFile(name, size, executable, offset, spool))
    spool.flush()


def unpack_tar(archive: BinaryIO, spool: BinaryIO, found: Unpacking) -> None:
    """Read a tar's entries; the spool is not needed: their bytes lie in it as they are. Raises as `Unpacking` does."""
    del spool
    _read_tar(archive, found)


def unpack_tar_gz(archive: BinaryIO, spool: BinaryIO, found: Unpacking) -> None:
    """Read the entries of a tar that is compressed with gzip, by way of the spool. Raises as `Unpacking` does."""
    # What a tar of the largest project takes, its headers included.
    most = Limits().total_bytes + 4 * BLOCK * (Limits().files + Limits().directories)
    with _understood("gzip"), gzip.GzipFile(fileobj=archive, mode="rb") as opened:
        for chunk in chunks(cast(BinaryIO, opened)):
            found.grew(len(chunk))
            if spool.tell() + len(chunk) > most:
                raise InvalidArchive(f"The archive unpacks to more than {most:,} bytes.", hint="Send less at once.")
            spool.write(chunk)
    spool.flush()
    _read_tar(spool, found)


def _read_tar(plain: BinaryIO, found: Unpacking) -> None:
    bounded = cast(IO[bytes], _Bounded(plain, LONGEST_HEADER))
    bounded.seek(0)
    with (
        _understood("tar"),
        tarfile.open(fileobj=bounded, mode="r:", encoding="utf-8", errors="surrogateescape") as opened,
    ):
        for count, entry in enumerate(opened):
            _take_entry(entry, plain, found)
            # A directory may come again, so the names alone end nothing.
            if count > Limits().files + Limits().directories:
                raise InvalidArchive("The archive has too many entries.", path=entry.name[:4096])
        # Python takes a header that makes no sense, and a cut, for the end.
        plain.seek(opened.offset)
        if plain.read(BLOCK) != bytes(BLOCK):
            raise InvalidArchive("The archive has no proper end: it was cut off, or is damaged.")


def _take_entry(entry: tarfile.TarInfo, plain: BinaryIO, found: Unpacking) -> None:
    # `tar -c .` writes every name so.
    name = entry.name.removeprefix("./")
    if entry.isdir():
        if name != ".":
            found.add_directory(name)
        return
    if entry.issym():
        raise invalid_path(name, "link")
    if entry.islnk():
        raise invalid_path(name, "hard-link")
    if entry.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or entry.issparse():
        raise invalid_path(name, "special-file")
    if entry.size < 0:
        raise InvalidArchive("The entry has no proper size.", path=name)
    found.expect_file(name, size=entry.size)
    executable = bool(entry.mode & stat.S_IXUSR)
    found.add_file(UnpackedFile(name, entry.size, executable, entry.offset_data, plain))


def _require_plain(entry: zipfile.ZipInfo, name: str) -> None:
    if entry.flag_bits & ENCRYPTED:
        raise InvalidArchive("The entry is encrypted.", path=name, hint="Send an archive without a password.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise invalid_path(name, "link")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR} or (kind == stat.S_IFDIR and not name.endswith("/")):
        raise invalid_path(name, "special-file")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise InvalidArchive(
            "The entry is compressed in a way that is not taken.", path=name, expected="stored or deflated"
        )


@contextmanager
def _understood(format: str) -> Iterator[None]:
    """Turn what Python's readers raise for nonsense into InvalidArchive."""
    try:
        yield
    except _NONSENSE as error:
        raise InvalidArchive(
            f"The body is no proper {format} archive: it was cut off, or is damaged.",
            hint="Send the file as it is, as with curl --data-binary @FILE, and its type in Content-Type.",
        ) from error


class _Bounded:
    """A file that is not read in pieces larger than `most`: readers ask for what the archive itself says."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; with -1 the rest. Raises InvalidArchive for too many at once."""
        if size < -1:
            raise ValueError("It is less than nothing.")
        data = self._file.read(min(size, self._most + 1) if size >= 0 else self._most + 1)
        if len(data) > self._most:
            raise InvalidArchive(f"A header or list of the archive is larger than {self._most:,} bytes.")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place. Raises ValueError for one before the beginning."""
        if whence == 0 and offset < 0:
            raise ValueError("It is before the beginning.")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return True."""
        return True
