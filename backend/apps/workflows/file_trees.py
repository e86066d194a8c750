"""Files as a dry run shows them: a tree with contents, and how each differs from what is there. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ShownFile:
    """One file.

    status: added, changed, removed or unchanged, against what is there. size: in bytes; of a removed file, what it had.
    content: the text, or its beginning; None for a file that is no text, that is gone, or that is unchanged.
    diff: the unified diff of a changed or removed text; None where there is none. cut: whether there is more.
    open: whether something in it is not known yet.
    """

    path: str
    status: str
    size: int
    executable: bool = False
    content: str | None = None
    diff: str | None = None
    cut: bool = False
    open: bool = False


@dataclass(frozen=True, kw_only=True)
class FileTree:
    """All files, sorted by path; `more` are not among them. against: the generation that they are compared with.

    directories: those that would stay empty. incomplete: why some files may be missing here, as sentences.
    """

    files: tuple[ShownFile, ...]
    directories: tuple[str, ...]
    more: int
    added: int
    changed: int
    removed: int
    unchanged: int
    total_size: int
    against: str | None = None
    incomplete: tuple[str, ...] = ()
