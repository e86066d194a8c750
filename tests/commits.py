"""Commits of what a folder holds, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backend.apps.projects.services.changes import changes_to
from backend.apps.projects.services.content import Content, empty_directories
from backend.apps.projects.services.git_objects import TreeFile
from backend.apps.projects.services.git_store import Commit, GitStore
from backend.apps.projects.services.pack_format import DIRECTORY, TREE, identifier, tree_data
from backend.apps.projects.services.structure import Plan
from backend.apps.projects.services.workspace import NewFile, Workspace


def commit_all(store: GitStore, workspace: Workspace, *, message: str, parent: str | None, when: datetime) -> Commit:
    """Commit everything in a workspace, from nothing."""
    entries = list(workspace.entries())
    files = []
    for entry in entries:
        if not entry.is_directory:
            with workspace.open(entry.path) as file:
                files.append(NewFile(entry.path, file.read(), entry.executable))
    plan = Plan(files=tuple(files), directories=empty_directories(entries))
    changes = changes_to(base=Content((), ()), plan=plan, keep=False)
    return store.commit(changes, base=None, message=message, parent=parent, when=when)


def trees_of(files: Sequence[TreeFile]) -> list[tuple[bytes, bytes]]:
    """Return id and data of each tree that these files make, the root's last."""
    made: list[tuple[bytes, bytes]] = []
    held: dict[str, tuple[int, bytes]] = {}
    below: dict[str, list[TreeFile]] = {}
    for file in files:
        name, slash, rest = file.path.partition("/")
        if slash:
            below.setdefault(name, []).append(file._replace(path=rest))
        else:
            held[name] = (file.mode, file.binsha)
    for name, inside in below.items():
        made += trees_of(inside)
        held[name] = (DIRECTORY, made[-1][0])
    data = tree_data(held)
    return [*made, (identifier(TREE, data), data)]
