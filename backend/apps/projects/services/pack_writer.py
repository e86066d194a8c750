"""Writes objects into a pack: each once, compressed as a zip compresses files, so that archives can take that over.

Which objects make a commit is `commit_writing`'s; git itself checks and installs what was written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

from backend.apps.projects.errors import GitFailed
from backend.apps.projects.services.content import CHUNK
from backend.apps.projects.services.git_process import started
from backend.apps.projects.services.pack_format import (
    BLOB,
    HEADER,
    NAMES,
    OWN,
    SIGNATURE,
    VERSION,
    identifier,
    object_head,
    parsed_index,
)
from backend.apps.projects.services.zip_writer import LEVEL


class PackWriter:
    """Writes a pack into a file that can be read and sought in.

    label: bytes that no other pack has. A pack is called after what is in it: two commits of the same content at one
    moment, or one after another that was killed, would stand in each other's way.
    known: ids of objects that the store has already; they are left out.
    """

    def __init__(self, file: BinaryIO, *, label: bytes, known: Collection[bytes] = ()) -> None:
        self._file = file
        self._known = known
        self.identifiers: set[bytes] = set()
        file.write(HEADER.pack(SIGNATURE, VERSION, 0))
        self.add(BLOB, OWN + label)

    def add(self, kind: int, data: bytes) -> bytes:
        """Add an object that is at hand as a whole; return its id, 20 bytes."""
        name = identifier(kind, data)
        if name not in self.identifiers and name not in self._known:
            self.identifiers.add(name)
            self._file.write(object_head(kind, len(data)) + isal_zlib.compress(data, LEVEL))
        return name

    def add_blob(self, parts: Iterable[bytes], *, size: int) -> bytes:
        """Add a file of `size` bytes that comes in parts; return its id. Raises ValueError for more or fewer bytes."""
        begin = self._file.tell()
        self._file.write(object_head(BLOB, size))
        name = hashlib.sha1(b"%b %d\0" % (NAMES[BLOB], size), usedforsecurity=False)
        deflate = isal_zlib.compressobj(LEVEL)
        left = size
        for part in parts:
            left -= len(part)
            if left < 0:
                break
            name.update(part)
            self._file.write(deflate.compress(part))
        if left != 0:
            raise ValueError(f"The file does not have {size} bytes.")
        self._file.write(deflate.flush())
        found = name.digest()
        if found in self.identifiers or found in self._known:
            self._file.seek(begin)
            self._file.truncate()
        else:
            self.identifiers.add(found)
        return found

    def install(self, git_dir: Path, *, options: tuple[str, ...], timeout: float) -> None:
        """Finish the pack, let git check and index every object of it, and put it into the store.

        Raises GitFailed where git finds anything but the objects that were added.
        """
        self._finish()
        self._file.seek(0)
        with started("index-pack", "--stdin", git_dir=git_dir, options=options, timeout=timeout) as process:
            for chunk in iter(lambda: self._file.read(CHUNK), b""):
                process.write(chunk)
            _, _, name = process.finish().output.decode("ascii", "replace").strip().partition("\t")
        # Git has computed each id anew from what it read.
        found, _ = parsed_index((git_dir / "objects" / "pack" / f"pack-{name}.idx").read_bytes())
        if len(found) != len(self.identifiers) or not self.identifiers.issuperset(found):
            raise GitFailed(
                f"git index-pack found {len(found)} objects in place of the {len(self.identifiers)} written."
            )

    def _finish(self) -> None:
        self._file.seek(0)
        self._file.write(HEADER.pack(SIGNATURE, VERSION, len(self.identifiers)))
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, lambda: hashlib.sha1(usedforsecurity=False))  # type: ignore[arg-type]
        self._file.seek(0, 2)
        self._file.write(digest.digest())
