"""Compose 2, which Debian 12 does not have: installed from the release after it, at the machine's own package source.

Nothing else comes from there: it needs only the C library, in any version from 2.34.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from container_engine import Unavailable, apt_install
from container_images import apt_sources

RELEASE = "trixie"


def prepare(*, install: bool) -> None:
    """Install Compose where it is missing. Raises Unavailable with the reason."""
    if is_there():
        return
    if not install:
        raise Unavailable("Compose 2 is not installed: install it, or say --install")
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable("Compose 2 is not installed, and only root on Debian can install it here")
    kind, address, *_ = apt_sources()[0].split()
    with tempfile.TemporaryDirectory(prefix="repomill-compose-") as name:
        folder = Path(name)
        # apt fetches as a user of its own.
        folder.chmod(0o755)
        (folder / "lists" / "partial").mkdir(parents=True)
        sources = folder / "sources.list"
        sources.write_text(f"{kind} {address} {RELEASE} main\n")
        apt_install("docker-compose", sources=sources)
    if not is_there():
        raise Unavailable("docker does not find the Compose that was installed")


def is_there() -> bool:
    """Say whether `docker compose` is a command."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
