"""A tree of real files: generated, committed and packaged by Repomill, and by the plain thing."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import django
from django.utils import timezone

from backend.apps.projects.services.archives import write_archive
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.project_generator import ProjectGenerator
from backend.apps.projects.services.workspace import Workspace
from benchmarks.measure import Row, in_turn, row, seconds_of


def measure(folder: Path, *, quick: bool) -> list[Row]:
    """Return the lines for generating, committing and packaging one tree."""
    files = real_tree(200 if quick else 2415)
    pairs = 1 if quick else 5
    scratch = Path(tempfile.mkdtemp(dir=folder))
    label = f"{len(files)} files, {sum(len(text.encode()) for text in files.values()) / 1e6:.0f} MB"
    source = scratch / "source"
    _plain_loop(files, source)
    workspace = Workspace(source)

    def milliseconds(value: float) -> str:
        return f"{value * 1000:.0f} ms"

    def pack(kind: str) -> float:
        return seconds_of(lambda: write_archive(workspace=workspace, target=scratch / f"ours.{kind}", format=kind))

    def shutil_pack(kind: str) -> float:
        return seconds_of(lambda: shutil.make_archive(str(scratch / "theirs"), kind, source))

    measured = [
        (f"generate {label}", "open().write() loop", _ours_generate(files), _plain(files, scratch)),
        ("commit it", "git init, add, commit", _ours_commit(workspace), lambda: _git_commit(source, scratch)),
        ("package it: zip", "shutil.make_archive", lambda: pack("zip"), lambda: shutil_pack("zip")),
        ("package it: tar.gz", "shutil.make_archive", lambda: pack("tar.gz"), lambda: shutil_pack("gztar")),
    ]
    return [
        row(what, against, in_turn(ours, theirs, pairs=pairs), show=milliseconds, better="lower")
        for what, against, ours, theirs in measured
    ]


def real_tree(most: int) -> dict[str, str]:
    """Return text files of Django's own source, path to content."""
    root = Path(django.__file__).parent
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        if len(found) == most:
            break
        if path.is_file() and path.suffix in {".py", ".html", ".js", ".css", ".po", ".txt"}:
            found[path.relative_to(root).as_posix()] = path.read_text("utf-8", "replace")
    return found


def _ours_generate(files: dict[str, str]) -> Any:
    def once() -> float:
        generator = ProjectGenerator(str(uuid4()), generation_id=str(uuid4()))
        taken = seconds_of(lambda: generator.generate(structure=dict(files)))
        generator.cleanup()
        return taken

    return once


def _plain(files: dict[str, str], scratch: Path) -> Any:
    def once() -> float:
        target = scratch / uuid4().hex
        taken = seconds_of(lambda: _plain_loop(files, target))
        shutil.rmtree(target)
        return taken

    return once


def _plain_loop(files: dict[str, str], target: Path) -> None:
    for name, text in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(text)


def _ours_commit(workspace: Workspace) -> Any:
    def once() -> float:
        store = GitStore.for_project(str(uuid4()))
        when = timezone.now()
        return seconds_of(lambda: (store.create(), store.commit(workspace, message="Generate", parent=None, when=when)))

    return once


def _git_commit(source: Path, scratch: Path) -> float:
    target = scratch / uuid4().hex
    shutil.copytree(source, target)
    identity = ["-c", "user.name=a", "-c", "user.email=a@localhost"]

    def work() -> None:
        for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "Generate"]):
            subprocess.run(["git", *arguments], cwd=target, check=True, capture_output=True)

    taken = seconds_of(work)
    shutil.rmtree(target)
    return taken
