"""The project as it was before, for the image that the upgrade is tried from.

That is the newest tag with a version; without one, the commit before the newest migration: an upgrade from there
changes the database. Where there is no history, the same code with another version.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTEXT = (
    "backend",
    "workers",
    "examples",
    "celeryconfig.py",
    "pyproject.toml",
    "requirements.lock",
    "requirements-uv.lock",
    "README.md",
    "LICENSE",
)


def write(folder: Path) -> str:
    """Write the former project into a folder, with today's Dockerfile, and return what it is."""
    commit = _tag() or _before_the_newest_migration()
    if commit:
        archive = folder.with_suffix(".tar")
        _git("archive", "--output", str(archive), commit, *CONTEXT)
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        archive.unlink()
    else:
        for name in CONTEXT:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, folder / name)
        project = folder / "pyproject.toml"
        project.write_text(project.read_text().replace('\nversion = "', '\nversion = "0.0.', 1))
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copy2(ROOT / name, folder / name)
    return commit or "the same code as another version, because there is no history here"


def _tag() -> str:
    return _git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^")


def _before_the_newest_migration() -> str:
    added = _git("log", "-1", "--format=%H", "--diff-filter=A", "--", "backend/*/migrations/*.py")
    return _git("rev-parse", "--verify", "--quiet", f"{added}^") if added else ""


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
