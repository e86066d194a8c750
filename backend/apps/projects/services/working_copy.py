"""Brings a generation's workspace to a content: what is there and known to be ours stays, the rest is written.

The content comes from the plan, which is in memory, and from the git store, never from another workspace. A file stays
only if its size and mode are the recorded ones and nobody has touched it since the seal (its ctime, which no program
can set); one that was tampered with is written again, and what does not belong there is removed.
"""

from __future__ import annotations

from collections.abc import Iterator

from backend.apps.projects.services.content import Content, ContentFile
from backend.apps.projects.services.directory_io import Entry
from backend.apps.projects.services.git_objects import CommittedTree, directories_above
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.structure import Plan
from backend.apps.projects.services.workspace import NewFile, Workspace

AT_ONCE = 500
"""Files of the store that are in memory at once."""


def bring_to(
    content: Content,
    *,
    workspace: Workspace,
    plan: Plan,
    recorded: Content | None,
    seal: str,
    store: GitStore,
    commit: str | None,
) -> None:
    """Make the workspace hold exactly this content; the caller is `writing`.

    plan: has the bytes of files of the content; the others are in the tree of `commit`.
    recorded: what the workspace held when it was sealed. Raises InvalidPath for a link in the workspace.
    """
    sealed_at = workspace.sealed_at(seal)
    there = _look(workspace, recorded, sealed_at=sealed_at)
    untouched = _untouched(there, recorded, sealed_at=sealed_at)
    wanted = [file for file in content.files if untouched.get(file.path) != (file.digest, file.executable)]
    planned = {file.path: file for file in plan.files}
    directories = _directories(content)
    files = {file.path for file in content.files}
    workspace.rearrange(
        files=[planned[file.path] for file in wanted if file.path in planned],
        directories=content.empty_directories,
        remove_files=[entry.path for entry in there if not entry.is_directory and entry.path not in files],
        remove_directories=[entry.path for entry in there if entry.is_directory and entry.path not in directories],
    )
    _restore([file for file in wanted if file.path not in planned], workspace=workspace, store=store, commit=commit)


def _look(workspace: Workspace, recorded: Content | None, *, sealed_at: int) -> list[Entry]:
    if not workspace.exists():
        return []
    if recorded is None or not sealed_at:
        return list(workspace.entries())
    files = [file.path for file in recorded.files]
    return workspace.entries_since(sealed_at, files=files, directories=_directories(recorded))


def _directories(content: Content) -> set[str]:
    return directories_above(
        [*(file.path for file in content.files), *(f"{path}/" for path in content.empty_directories)]
    )


def _untouched(there: list[Entry], recorded: Content | None, *, sealed_at: int) -> dict[str, tuple[str, bool]]:
    """Return digest and mode of the files of the workspace that are known without reading them."""
    if recorded is None or not sealed_at:
        return {}
    # A clock has its grain: what changed in the moment of the seal may have changed after it.
    quiet = {entry.path: (entry.size, entry.executable) for entry in there if 0 < entry.changed_ns < sealed_at}
    return {
        file.path: (file.digest, file.executable)
        for file in recorded.files
        if quiet.get(file.path) == (file.size, file.executable)
    }


def _restore(files: list[ContentFile], *, workspace: Workspace, store: GitStore, commit: str | None) -> None:
    if not files or commit is None:
        return
    with store.tree(commit) as tree:
        for begin in range(0, len(files), AT_ONCE):
            workspace.rearrange(files=_of_store(tree, files[begin : begin + AT_ONCE]))


def _of_store(tree: CommittedTree, files: list[ContentFile]) -> Iterator[NewFile]:
    for path, data, executable in tree.contents([file.path for file in files]):
        yield NewFile(path, data, executable)
