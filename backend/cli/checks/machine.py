"""Checks of this machine: Python, git, the data folder and the secret files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from backend.cli.checks.base import Check, ok, problem, warning

PYTHON_FLOOR = (3, 11)
GIT_FLOOR = (2, 39, 5)
"""The oldest git that Repomill was tested with."""
GIT_SAFE = (2, 50, 1)
"""The first release of git without known holes that concern what Repomill does with it."""
DEBIAN_SAFE = re.compile(r"^1:2\.39\.5-0\+deb12u(\d+)")
DEBIAN_SAFE_REVISION = 3
"""Debian 12 carries the same corrections in this revision of its older git."""


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """Check that Python is new enough."""
    shown = ".".join(map(str, version))
    if version < PYTHON_FLOOR:
        return problem("Python", shown, "Use Python 3.11 or newer.")
    return ok("Python", shown)


def check_git() -> Check:
    """Check that git is there, new enough, and without known holes."""
    git = shutil.which("git")
    if git is None:
        return problem("git", "not found on PATH", "Install git; on Debian: apt-get install git")
    output = subprocess.run([git, "--version"], capture_output=True, text=True, check=False).stdout
    return judge_git(output, debian=_debian_version(git))


def judge_git(output: str, *, debian: str | None) -> Check:
    """Judge `git --version`, and the Debian package's version where git comes from there."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", output)
    if found is None:
        return problem("git", f"its version cannot be read: {output.strip()!r}", "Install git 2.50.1 or newer.")
    version = tuple(int(part or 0) for part in found.groups())
    shown = found.group(0) if debian is None else f"{found.group(0)} (Debian {debian})"
    if version < GIT_FLOOR:
        return problem("git", shown, "Install git 2.50.1 or newer, or Debian 12's with its security updates.")
    patched = DEBIAN_SAFE.match(debian or "")
    if version >= GIT_SAFE or (patched and int(patched.group(1)) >= DEBIAN_SAFE_REVISION):
        return ok("git", shown)
    return warning("git", f"{shown} has known holes", "Install git 2.50.1 or newer, or Debian 12's security updates.")


def _debian_version(git: str) -> str | None:
    dpkg = shutil.which("dpkg-query")
    if dpkg is None or git != "/usr/bin/git":
        return None
    asked = subprocess.run([dpkg, "-W", "-f", "${Version}", "git"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


def check_data_folder(path: Path) -> Check:
    """Check that the data folder can be written, and is private."""
    name = "data folder"
    if not path.is_dir():
        if path.exists():
            return problem(name, f"{path} is not a folder", "Set REPOMILL_DATA_DIR to a folder.")
        return warning(name, f"{path} does not exist yet", "The first `repomill up` makes it.")
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        return problem(name, f"{path} cannot be written: {error.strerror}", "Set REPOMILL_DATA_DIR to another folder.")
    if path.stat().st_mode & 0o077:
        return warning(name, f"{path} can be entered by other users", f"Run: chmod 700 {path}")
    return ok(name, str(path))


def check_secret_files(folder: Path) -> Check:
    """Check that every secret file is this user's alone."""
    name = "secret files"
    if not folder.is_dir():
        return ok(name, "none yet")
    if folder.stat().st_mode & 0o077:
        return problem(name, f"{folder} can be entered by other users", f"Run: chmod 700 {folder}")
    for file in sorted(folder.iterdir()):
        if file.stat().st_mode & 0o077:
            return problem(name, f"{file} can be read by other users", f"Run: chmod 600 {file}")
        if file.stat().st_uid != os.getuid():
            return warning(name, f"{file} belongs to another user", "Run Repomill as one user only.")
    return ok(name, f"private, in {folder}")
