"""A small disk of its own for everything that a stage's workers write, so that it can be full.

It is a tmpfs, where this user may mount one. Where not, the tests of a full disk are left out with that reason: a write
that merely raises ENOSPC would not show what a half-written file does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDERS = ("generated-projects", "git-stores", "archives", "repositories")


@contextmanager
def small_disk(data_dir: Path, *, megabytes: int, folders: tuple[str, ...] = FOLDERS) -> Iterator[bool]:
    """Put these folders of a data folder on one small disk; False: this user may not."""
    disk = data_dir / "disk"
    disk.mkdir(parents=True)
    mounted: list[Path] = []
    try:
        if _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "none", str(disk)):
            mounted.append(disk)
            for name in folders:
                for folder in (disk / name, data_dir / name):
                    folder.mkdir(exist_ok=True)
                if _run("mount", "--bind", str(disk / name), str(data_dir / name)):
                    mounted.append(data_dir / name)
        yield len(mounted) == len(folders) + 1
    finally:
        for path in reversed(mounted):
            _run("umount", "-l", str(path))


def may_mount() -> bool:
    """Say whether this user may mount a small disk."""
    with TemporaryDirectory() as folder, small_disk(Path(folder), megabytes=1, folders=()) as mounted:
        return mounted


def _run(*words: str) -> bool:
    return subprocess.run(words, capture_output=True).returncode == 0
