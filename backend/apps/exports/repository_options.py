"""For each kind of host, what may be said of a repository there, and what the service that delivers calls it."""

from __future__ import annotations

from typing import Final

_COMMON = ("description", "topics", "branch")

REPOSITORY_OPTIONS: Final[dict[str, dict[str, str]]] = {
    "git": {name: name for name in ("repository_name", "url", "branch", "credential")},
    "github": {name: name for name in ("credential", "repository_name", "organization", "private", *_COMMON)},
    "gitlab": {
        "repository_name": "project_name",
        **{name: name for name in ("credential", "namespace", "visibility", *_COMMON)},
    },
}
EXPORT_TYPES: Final = ("zip", "tar", "tar.gz", *REPOSITORY_OPTIONS)
