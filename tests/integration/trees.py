"""Directory trees as values, to be compared byte for byte."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

Tree = dict[str, bytes | None]
"""Path to content; None for a directory."""


def tree_of(folder: Path, *, directories: bool = True) -> Tree:
    """Return what lies below a folder, without a git directory."""
    found: Tree = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name == ".git" or name.startswith(".git/"):
            continue
        if path.is_dir():
            if directories:
                found[name] = None
        else:
            found[name] = path.read_bytes()
    return found


def archive_tree(path: Path) -> Tree:
    """Return what an archive holds."""
    found: Tree = {}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for item in archive.infolist():
                found[item.filename.rstrip("/")] = None if item.is_dir() else archive.read(item)
        return found
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member)
            found[member.name.rstrip("/")] = io.BytesIO(file.read()).getvalue() if file else None
    return found


def files_of(tree: Tree) -> Tree:
    """Return a tree without its directories."""
    return {name: content for name, content in tree.items() if content is not None}


def clone(url: str, target: Path) -> Path:
    """Clone a repository and return where it is."""
    subprocess.run(
        ["git", "-c", "core.autocrlf=false", "clone", "-q", url, str(target)], check=True, capture_output=True
    )
    return target


def commits(repository: Path, branch: str = "main") -> list[str]:
    """Return the commits of a branch, newest first."""
    done = subprocess.run(
        ["git", "-C", str(repository), "rev-list", branch], check=True, capture_output=True, text=True
    )
    return done.stdout.split()
