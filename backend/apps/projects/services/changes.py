"""What leads from one content to another: the files that are new or different, those that go, and what is there then.

Pure: it compares digests and names and reads nothing. A file whose SHA-256 and mode are the recorded ones is the same
file, so that a project of which little has changed costs little.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from backend.apps.projects.services.content import Content, ContentFile, content_file
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.paths import validate_path, validate_tree
from backend.apps.projects.services.structure import Plan
from backend.apps.projects.services.workspace import NewFile
from backend.errors import InvalidInput


@dataclass(frozen=True)
class Changes:
    """Files to be written with their bytes, paths of files to be removed, and the content that results."""

    files: tuple[NewFile, ...]
    removed: tuple[str, ...]
    content: Content


def changes_to(
    *, base: Content, plan: Plan, keep: bool, remove: Sequence[str] = (), limits: Limits | None = None
) -> Changes:
    """Return what leads from `base` to the plan, or with `keep` to the base with the plan written over it.

    remove: files and directories of the base that go; what is gone already is passed over.
    Everything is validated together. Raises InvalidPath, QuotaExceeded, and InvalidInput for what is both removed and
    written, or when no file would be left.
    """
    limits = limits or Limits()
    planned = {file.path: file for file in plan.files}
    gone = _Removal(remove, planned=planned)
    before = {file.path: file for file in base.files}
    kept = {path: file for path, file in before.items() if keep and path not in planned and not gone.takes(path)}
    directories = [*plan.directories, *(path for path in base.empty_directories if keep and not gone.takes(path))]
    if kept or len(directories) > len(plan.directories):
        # What is there comes first, so that an error names the new path, and the old one as its other.
        validate_tree(files=[*kept, *planned], directories=directories, limits=limits)
    target = [*kept.values(), *(_as_content(file, before) for file in plan.files)]
    limits.require("total_bytes", sum(file.size for file in target))
    if not target:
        raise InvalidInput("There would be no file left.", hint="Generate at least one file.", field="structure")
    target.sort(key=lambda file: file.path)
    content = Content(tuple(target), _empty(directories, target))
    new = {file.path for file in target if before.get(file.path) is not file}
    after = planned.keys() | kept.keys()
    return Changes(
        files=tuple(file for file in plan.files if file.path in new),
        removed=tuple(path for path in before if path not in after),
        content=content,
    )


def require_paths(remove: Sequence[str] | None) -> list[str]:
    """Return the paths that are to be removed, validated. Raises InvalidInput or InvalidPath."""
    if remove is None:
        return []
    if isinstance(remove, str | bytes) or not isinstance(remove, Sequence):
        raise InvalidInput("remove is a list of paths.", field="remove", expected="a list of paths")
    return [validate_path(path) for path in remove]


class _Removal:
    """Says which paths go: those that are named, and what lies below them."""

    def __init__(self, remove: Sequence[str], *, planned: Mapping[str, NewFile]) -> None:
        self._named = frozenset(remove)
        for path in planned:
            if self.takes(path):
                raise InvalidInput(
                    f"{path!r} is written and removed by the same step.",
                    field="remove",
                    path=path,
                    hint="Leave it out of one of the two.",
                )

    def takes(self, path: str) -> bool:
        """Return whether the path goes."""
        if not self._named:
            return False
        while path and path not in self._named:
            path = path.rpartition("/")[0]
        return bool(path)


def _as_content(new: NewFile, before: Mapping[str, ContentFile]) -> ContentFile:
    recorded = before.get(new.path)
    alike = recorded is not None and (recorded.size, recorded.executable) == (len(new.data), new.executable)
    if recorded is not None and alike and hashlib.sha256(new.data).hexdigest() == recorded.digest:
        return recorded
    return content_file(new.path, new.data, executable=new.executable)


def _empty(directories: Collection[str], files: Iterable[ContentFile]) -> tuple[str, ...]:
    holding: set[str] = set()
    for path in (*(file.path for file in files), *directories):
        above = path.rpartition("/")[0]
        while above and above not in holding:
            holding.add(above)
            above = above.rpartition("/")[0]
    return tuple(sorted(set(directories) - holding))
