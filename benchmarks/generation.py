"""Trees of real files: generated, committed and packaged by Repomill, and by the plain thing."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.utils import timezone

from backend.apps.projects.services.archives import write_archive
from backend.apps.projects.services.changes import changes_to
from backend.apps.projects.services.committed_zip import write_committed_zip
from backend.apps.projects.services.content import Content
from backend.apps.projects.services.git_objects import CommittedTree
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.pack_reader import packed
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.projects.services.structure import Plan
from backend.apps.projects.services.workspace import NewFile, Workspace
from benchmarks.measure import Row, Skipped, in_turn, milliseconds, row, seconds_of
from benchmarks.trees import large_tree, plain_loop, real_tree, said

Timed = Callable[[], float]
REST = 2.0
"""Seconds of rest before a commit: git's writes as many files as the tree has."""


def measure(folder: Path, *, quick: bool) -> list[Row | Skipped]:
    """Return the lines for generating, committing and packaging two trees."""
    small, large = real_tree(200 if quick else 2415), large_tree(1000 if quick else 20_000)
    rows = _tree(small, folder, pairs=1 if quick else 7)
    return rows + _tree(large, folder, pairs=1 if quick else 3)


def _tree(files: dict[str, str], folder: Path, *, pairs: int) -> list[Row | Skipped]:
    scratch = Path(tempfile.mkdtemp(dir=folder))
    source = scratch / "source"
    plain_loop(files, source)
    workspace = Workspace(source)
    measured: list[tuple[str, str, Timed, Timed, float | None]] = [
        (f"generate {said(files)}", "makedirs, open().write()", _ours_generate(files), _plain(files, scratch), 1.3),
        ("  commit", "git init, add, commit", _ours_commit(files), lambda: _git_commit(source, scratch), 0.5),
    ]
    rows: list[Row | Skipped] = []
    store = GitStore.for_project(str(uuid4()))
    commit = _commit(store, _plan(files))
    for kind, name, mark, size_mark in (("zip", "zip", 1 / 3, 1.15), ("tar.gz", "gztar", 1 / 6, 1.2)):
        target = scratch / f"ours.{kind}"
        of_workspace = _ours_pack_of_workspace(workspace, target, kind)
        # As a step does: a tar is made from the workspace.
        ours = _ours_pack(store, commit, target) if kind == "zip" else of_workspace
        for against, theirs, made in _packers(source, scratch, name):
            if shutil.which(against.split()[0]) is None and " " in against:
                rows.append(Skipped(f"{kind} against {against}", "it is not on PATH"))
                continue
            measured.append((f"  {kind}", against, ours, theirs, mark))
            if ours is not of_workspace and " " in against:
                measured.append((f"  {kind} of a workspace", against, of_workspace, theirs, None))
            rows.append(_size(kind, against, ours, target, theirs, made, size_mark))
    lines = [
        row(
            *(what, against, in_turn(ours, theirs, pairs=pairs, rest=REST if "commit" in what else 0.0)),
            show=milliseconds,
            better="lower",
            mark=mark and round(mark, 3),
        )
        for what, against, ours, theirs, mark in measured
    ]
    return [*lines, *rows]


def _ours_generate(files: dict[str, str]) -> Timed:
    def once() -> float:
        generator = ProjectGenerator(str(uuid4()), generation_id=str(uuid4()))
        return seconds_of(lambda: generator.generate(structure=dict(files)))

    return once


def _plain(files: dict[str, str], scratch: Path) -> Timed:
    def once() -> float:
        target = scratch / uuid4().hex
        return seconds_of(lambda: plain_loop(files, target))

    return once


def _ours_commit(files: dict[str, str]) -> Timed:
    """Commit what is at hand, as a step does that has just written it: nothing is read back from the disk."""
    plan = _plan(files)
    return lambda: seconds_of(lambda: _commit(GitStore.for_project(str(uuid4())), plan))


def _plan(files: dict[str, str]) -> Plan:
    return Plan(files=tuple(NewFile(path, text.encode()) for path, text in files.items()))


def _commit(store: GitStore, plan: Plan) -> str:
    changes = changes_to(base=Content((), ()), plan=plan, keep=False)
    return store.commit(changes, base=None, message="Generate", parent=None, when=timezone.now()).commit


def _git_commit(source: Path, scratch: Path) -> float:
    target = scratch / uuid4().hex
    shutil.copytree(source, target)
    identity = ["-c", "user.name=a", "-c", "user.email=a@localhost"]

    def work() -> None:
        for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "Generate"]):
            subprocess.run(["git", *arguments], cwd=target, check=True, capture_output=True)

    return seconds_of(work)


def _ours_pack(store: GitStore, commit: str, target: Path) -> Timed:
    """Make a zip of what was committed, as a step does: what a commit has compressed is not compressed again."""

    def work() -> None:
        with packed(store.path) as source:
            write_committed_zip(source=source, tree=CommittedTree(source, commit=commit), target=target)

    return lambda: seconds_of(work)


def _ours_pack_of_workspace(workspace: Workspace, target: Path, kind: str) -> Timed:
    """Package the workspace, as a step does for a tar, and where git has packed the commit anew."""
    return lambda: seconds_of(lambda: write_archive(workspace=workspace, target=target, format=kind))


def _packers(source: Path, scratch: Path, name: str) -> list[tuple[str, Timed, Path]]:
    """Return those that pack it too: what each is called, how it is timed, and where its archive is."""
    suffix = {"zip": "zip", "gztar": "tar.gz"}[name]
    command = {"zip": ["zip", "-q", "-r"], "gztar": ["tar", "czf"]}[name]
    theirs, told = scratch / f"theirs.{suffix}", scratch / f"told.{suffix}"

    def by_command() -> float:
        told.unlink(missing_ok=True)
        return seconds_of(lambda: subprocess.run([*command, str(told), "."], cwd=source, check=True))

    def by_shutil() -> float:
        return seconds_of(lambda: shutil.make_archive(str(scratch / "theirs"), name, source))

    shown = " ".join(word for word in command if word != "-q")
    return [("shutil.make_archive", by_shutil, theirs), (shown, by_command, told)]


def _size(kind: str, against: str, ours: Timed, target: Path, theirs: Timed, made: Path, mark: float) -> Row:
    ours(), theirs()

    def megabytes(path: Path) -> Any:
        return lambda: path.stat().st_size / 1e6

    figures = in_turn(megabytes(target), megabytes(made), pairs=1)
    return row(f"  {kind}, size", against, figures, show=lambda size: f"{size:.2f} MB", better="lower", mark=mark)
