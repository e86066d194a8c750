"""What a tree of files is, whoever holds it: a workspace, or a commit in a git store.

Its digest says the same on every machine; its files are read once for everything that is to be known of them.
It writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from backend.apps.projects.services.workspace import Entry

PREVIEW_CHARACTERS = 1000
# UTF-8 takes at most four bytes for a character.
PREVIEW_BYTES = 4 * PREVIEW_CHARACTERS
CHUNK = 256 * 1024


class Tree(Protocol):
    """A tree of files that can be read; `Workspace` and `CommittedTree` are two."""

    def entries(self) -> Iterator[Entry]:
        """Yield directories and regular files, sorted by path as UTF-8 bytes."""

    def reading(self) -> AbstractContextManager[Callable[[str], BinaryIO]]:
        """Give a way to open its files for reading, one after the other, by their paths."""


class DeflatedFile(BytesIO):
    """A file whose bytes are at hand compressed too: `deflated` is what `zip_writer` would make of them."""

    def __init__(self, data: bytes, deflated: bytes) -> None:
        super().__init__(data)
        self.deflated = deflated


class ContentFile(NamedTuple):
    """One file as it was read. `size` is in bytes, `digest` is SHA-256.

    preview: its first 1,000 characters; None where nobody needs them, since they are most of what a record of it takes.
    """

    path: str
    executable: bool
    size: int
    digest: str
    preview: str | None = None


@dataclass(frozen=True)
class Content:
    """Everything that was read of a tree: its files sorted by path, and its directories without anything in them."""

    files: tuple[ContentFile, ...]
    empty_directories: tuple[str, ...]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """The SHA-256 of the sorted list of paths, modes and digests; empty directories included."""
        return digest_of(
            ((file.path, file.executable, file.digest) for file in self.files), empty=self.empty_directories
        )


def digest_of(files: Iterable[tuple[str, bool, str]], *, empty: Iterable[str]) -> str:
    """Return the digest of a content by each file's path, whether it is executable, and SHA-256: see `Content`.

    empty: the directories that hold nothing.
    """
    lines = [(path, "100755" if executable else "100644", digest) for path, executable, digest in files]
    lines += [(path, "40000", "-") for path in empty]
    # Code points sort as their UTF-8 bytes do.
    lines.sort()
    return hashlib.sha256("".join([f"{mode} {digest} {path}\0" for path, mode, digest in lines]).encode()).hexdigest()


def content_file(path: str, data: bytes, *, executable: bool) -> ContentFile:
    """Return what is known of a file by its bytes."""
    digest = hashlib.sha256(data).hexdigest()
    return ContentFile(path, executable, len(data), digest, preview(data[:PREVIEW_BYTES]))


def empty_directories(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return the paths of the directories that hold nothing, in the entries' order."""
    entries = tuple(entries)
    holding = {entry.path.rpartition("/")[0] for entry in entries}
    return tuple(entry.path for entry in entries if entry.is_directory and entry.path not in holding)


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield what is left of a stream, a part at a time."""
    while chunk := stream.read(CHUNK):
        yield chunk


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def preview(head: bytes) -> str:
    """Return the first 1,000 characters of a text by its first bytes; nothing for what is no text.

    Bytes that are not UTF-8 are shown as replacement characters.
    """
    if b"\0" in head:
        return ""
    # No thousand characters take more bytes than the head has, so the cut goes through none of them.
    return head.decode("utf-8", "replace")[:PREVIEW_CHARACTERS]
