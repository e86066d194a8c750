"""Writes objects as a pack: each once, compressed as a zip compresses files, so that archives can take that over.

Git reads the pack while it is written, on another processor, checks it and puts it into the store. Which objects make a
commit is `commit_writing`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from isal import isal_zlib

from backend.apps.projects.errors import GitFailed
from backend.apps.projects.services.content import CHUNK
from backend.apps.projects.services.git_process import GitProcess, started
from backend.apps.projects.services.pack_format import (
    BLOB,
    HEADER,
    OWN,
    SIGNATURE,
    VERSION,
    identifier,
    object_head,
    parsed_index,
    sums,
)
from backend.apps.projects.services.zip_writer import AT_ONCE, LEVEL


class PackWriter:
    """Writes a pack into a stream.

    write: takes the pack's bytes.
    count: how many objects will be added at the most; a pack says so before the first.
    label: bytes that no other pack has. A pack is called after what is in it: two commits of the same content at one
    moment, or one after another that was killed, would stand in each other's way.
    known: ids of objects that the store has already; they are left out.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        *,
        count: int,
        label: bytes,
        known: Collection[bytes] = (),
    ) -> None:
        self._write_out = write
        self._hash = hashlib.sha1(usedforsecurity=False)
        self._known = known
        self._label = label
        # With the label and the sums.
        self._count = count + 2
        self._sums: list[int] = []
        self.identifiers: set[bytes] = set()
        self._write(HEADER.pack(SIGNATURE, VERSION, self._count))
        self.add(BLOB, OWN + label)

    def add(self, kind: int, data: bytes, *, name: bytes | None = None) -> bytes:
        """Add an object; return its id, 20 bytes. name: the id, where it is known."""
        name = identifier(kind, data) if name is None else name
        if name not in self.identifiers and name not in self._known:
            self.identifiers.add(name)
            self._sums.append(isal_zlib.crc32(data))
            if len(data) <= AT_ONCE:
                # At once up to the size to which a zip does, so that it can take the bytes over.
                self._write(object_head(kind, len(data)) + isal_zlib.compress(data, LEVEL))
            else:
                self._write(object_head(kind, len(data)))
                self._write_in_parts(memoryview(data))
        return name

    def finish(self) -> None:
        """Write the pack's end. Small objects that nobody needs fill the places of those that were there already."""
        for place in range(self._count - len(self.identifiers) - 1):
            self.add(BLOB, b"%b, place %d\n" % (self._label, place))
        self.add(BLOB, sums(self._sums, label=self._label))
        self._write_out(self._hash.digest())

    def _write_in_parts(self, data: memoryview) -> None:
        deflate = isal_zlib.compressobj(LEVEL)
        for begin in range(0, len(data), CHUNK):
            self._write(deflate.compress(data[begin : begin + CHUNK]))
        self._write(deflate.flush())

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._write_out(data)


class Installation:
    """A pack on its way into a store: `writer` takes its objects, `finish` puts it there."""

    def __init__(self, process: GitProcess, writer: PackWriter, *, git_dir: Path) -> None:
        self.writer = writer
        self._process = process
        self._git_dir = git_dir

    def finish(self) -> None:
        """See that git has checked and indexed every object. Raises GitFailed where it found anything else."""
        self.writer.finish()
        _, _, name = self._process.finish().output.decode("ascii", "replace").strip().partition("\t")
        # Git has computed each id anew from what it read.
        found, _ = parsed_index((self._git_dir / "objects" / "pack" / f"pack-{name}.idx").read_bytes())
        added = self.writer.identifiers
        if len(found) != len(added) or not added.issuperset(found):
            raise GitFailed(f"git index-pack found {len(found)} objects in place of the {len(added)} written.")


@contextmanager
def installing(
    git_dir: Path,
    *,
    count: int,
    label: bytes,
    known: Collection[bytes] = (),
    options: tuple[str, ...] = (),
    timeout: float,
) -> Iterator[Installation]:
    """Begin a pack; see `PackWriter`. It is in the store once `finish` was called, and not at all without."""
    with started("index-pack", "--stdin", git_dir=git_dir, options=options, timeout=timeout) as process:
        process.lag()
        writer = PackWriter(process.write, count=count, label=label, known=known)
        yield Installation(process, writer, git_dir=git_dir)
