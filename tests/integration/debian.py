"""Programs of Debian packages that the tests use: fetched and unpacked below `.tools/`, and not installed.

Nothing of the machine is changed, and no service is started. A program that the machine has already is not used: all
machines test with the same. What a package needs of the machine's own libraries is taken from there.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[2] / ".tools" / "peers"
REDIS = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1")
CURL = ("curl", "libcurl4")
RABBITMQ = (
    "rabbitmq-server",
    *(f"erlang-{part}" for part in ("base", "asn1", "crypto", "public-key", "mnesia", "runtime-tools", "ssl", "eldap")),
    *(f"erlang-{part}" for part in ("ftp", "tftp", "inets", "snmp", "os-mon", "parsetools", "syntax-tools", "tools")),
    "erlang-xmerl",
)


def unpacked(name: str, packages: tuple[str, ...]) -> Path:
    """Return the folder of unpacked packages; skips the test where they cannot be fetched."""
    if why := _missing(name, packages):
        pytest.skip(why)
    return _folder(name, packages)


def library_path(folder: Path) -> str:
    """Return what LD_LIBRARY_PATH says for the programs of a folder."""
    return ":".join(str(path) for path in sorted((folder / "usr" / "lib").glob("*-linux-gnu")))


def _folder(name: str, packages: tuple[str, ...]) -> Path:
    return CACHE / f"debian-{name}-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:8]}"


@cache
def _missing(name: str, packages: tuple[str, ...]) -> str:
    folder = _folder(name, packages)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if folder.is_dir():
            return ""
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            return f"There is no apt-get here, with which {packages[0]} would be fetched."
        try:
            _fetch(folder, packages)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            return f"{packages[0]} cannot be fetched: {str(error.stderr or error).strip()[-200:]!r}"
    return ""


def _fetch(folder: Path, packages: tuple[str, ...]) -> None:
    aside = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        try:
            _run("apt-get", "download", *packages, cwd=aside)
        except subprocess.CalledProcessError:
            # A new machine has no lists of packages yet.
            _run("apt-get", "update", cwd=aside)
            _run("apt-get", "download", *packages, cwd=aside)
        (aside / "root").mkdir()
        for package in sorted(aside.glob("*.deb")):
            _run("dpkg-deb", "-x", str(package), "root", cwd=aside)
        (aside / "root").rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=300)
