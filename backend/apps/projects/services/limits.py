"""How large a project may become. Values only: whoever plans or writes a tree asks before the first byte is written."""

from __future__ import annotations

from dataclasses import dataclass

from backend.apps.projects.errors import QuotaExceeded

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest workspace that is accepted. A value equal to its limit is still accepted."""

    files: int = 50_000
    """Regular files in one workspace."""
    directories: int = 50_000
    """Directories in one workspace, the root not counted."""
    total_bytes: int = GIB
    """Bytes of all files together."""
    file_bytes: int = 64 * MIB
    """Bytes of one file."""
    depth: int = 32
    """Directories that a file lies in, or that a directory's path holds, the root not counted."""

    def require(self, limit: str, value: int, *, path: str | None = None) -> None:
        """Check one value against the limit of that name.

        Raises QuotaExceeded, which names the limit, its maximum and the value.
        """
        maximum: int = getattr(self, limit)
        if value > maximum:
            raise QuotaExceeded(
                f"The project would have {value:,} {_UNITS[limit]}; the limit is {maximum:,}.",
                hint="Split the project, leave out what can be built or downloaded, or ask an operator for more room.",
                limit=limit,
                maximum=maximum,
                value=value,
                path=path,
            )

    def require_depth(self, path: str, *, is_directory: bool) -> None:
        """Check how deep a validated path lies. Raises QuotaExceeded."""
        depth = path.count("/") + is_directory
        if depth > self.depth:
            self.require("depth", depth, path=path)


_UNITS = {
    "files": "files",
    "directories": "directories",
    "total_bytes": "bytes in all",
    "file_bytes": "bytes in one file",
    "depth": "directories inside one another",
}
