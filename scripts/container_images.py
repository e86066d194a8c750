"""The images: official ones where they are there or can be fetched, and otherwise made from Debian's packages.

No address of a package source is written here: the base that is made has the machine's own, its certificates, and the
package index that pip is set up for. Such a base stays on this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import container_before
from container_engine import Unavailable, apt_install, last_line, say

ROOT = Path(__file__).resolve().parent.parent
BASE = "repomill-base:local"
IMAGE = "repomill:local"
BEFORE = "repomill:before"
STAND_IN = {"REDIS_IMAGE": "redis", "POSTGRES_IMAGE": "postgres", "NGINX_IMAGE": "nginx"}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# What Debian's own small images leave out as well.
NOT_NEEDED = ("doc", "man", "locale", "info")


def prepare(*, install: bool, compose: bool) -> dict[str, str]:
    """Make what is missing and return the variables that name the images: for compose, or for the smoke tests.

    Raises Unavailable with the reason.
    """
    wanted = [name for name in STAND_IN if compose or name != "NGINX_IMAGE"]
    official = _official_images()
    if all(_is_there(image) or _can_be_fetched(image) for image in official.values()):
        base, stand_ins = official["BASE_IMAGE"], {name: official[name] for name in wanted}
    else:
        base, stand_ins = BASE, {name: f"repomill-{STAND_IN[name]}:local" for name in wanted}
        if not _is_there(BASE):
            _make_base(install=install)
    with ThreadPoolExecutor() as pool:
        made = [pool.submit(_build_own, base, before=not compose)]
        if base == BASE:
            made += [pool.submit(_build_stand_in, STAND_IN[name]) for name in wanted]
        own, *_ = [future.result() for future in made]
    return {"BASE_IMAGE": base, **stand_ins, **own}


def _official_images() -> dict[str, str]:
    """Return the images that the Dockerfile and docker-compose.yml name, by the variable that replaces each."""
    text = (ROOT / "docker-compose.yml").read_text()
    return {
        name: image for name, image in re.findall(r"\$\{([A-Z]+_IMAGE):-([^}]+)\}", text) if name != "REPOMILL_IMAGE"
    }


def _is_there(image: str) -> bool:
    return _docker("image", "inspect", image).returncode == 0


def _can_be_fetched(image: str) -> bool:
    try:
        return _docker("pull", "--quiet", image, timeout=300).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _build_own(base: str, *, before: bool) -> dict[str, str]:
    _build(IMAGE, str(ROOT), base=base)
    if not before:
        return {"REPOMILL_IMAGE": IMAGE}
    with tempfile.TemporaryDirectory(prefix="repomill-before-") as folder:
        told = container_before.write(Path(folder))
        _build(BEFORE, folder, base=base)
    return {"REPOMILL_IMAGE": IMAGE, "BEFORE_IMAGE": BEFORE, "REPOMILL_BEFORE": told}


def _build_stand_in(name: str) -> dict[str, str]:
    dockerfile = str(ROOT / "deploy" / "stand-ins" / "Dockerfile")
    _build(f"repomill-{name}:local", str(ROOT), "--file", dockerfile, "--target", name, base=BASE)
    return {}


def _build(image: str, context: str, *options: str, base: str) -> None:
    began = time.monotonic()
    proxies = [f"--build-arg={name}" for name in ("http_proxy", "https_proxy", "no_proxy") if os.environ.get(name)]
    done = _docker("build", "--tag", image, f"--build-arg=BASE_IMAGE={base}", *proxies, *options, context)
    if done.returncode != 0:
        raise Unavailable(f"building {image} failed: {last_line(done.stdout)}\n{done.stdout.decode()[-4000:]}")
    say(f"built {image} ({time.monotonic() - began:.0f} s)")


def _docker(*arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[bytes]:
    variables = dict(os.environ)
    if subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode != 0:
        variables["DOCKER_BUILDKIT"] = "0"
    return subprocess.run(
        ["docker", *arguments],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
    )


def _make_base(*, install: bool) -> None:
    """Make a Debian with Python from the machine's package sources, and give it to the engine."""
    why = "no image registry is reached, and"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable(f"{why} only root on Debian can make images from packages")
    if shutil.which("mmdebstrap") is None:
        if not install:
            raise Unavailable(f"{why} mmdebstrap is not installed: install it, or say --install")
        apt_install("mmdebstrap")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="repomill-base-") as folder:
        tar = Path(folder) / "base.tar"
        _bootstrap(tar, Path(folder) / "sources.list")
        changes = [f"--change=ENV {name}={value}" for name, value in _package_index().items()]
        done = _docker("import", *changes, '--change=CMD ["bash"]', str(tar), BASE)
    if done.returncode != 0:
        raise Unavailable(f"importing the base failed: {last_line(done.stdout)}")
    say(f"made {BASE} ({time.monotonic() - began:.0f} s)")


def _bootstrap(tar: Path, sources: Path) -> None:
    suite = _release()
    sources.write_text("\n".join(apt_sources()) + "\n")
    hooks = "/usr/share/mmdebstrap/hooks/merged-usr"
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in NOT_NEEDED]
    options += [
        "--mode=root",
        "--variant=apt",
        "--include=python3,ca-certificates,usr-is-merged",
        f"--hook-dir={hooks}",
    ]
    options += [f"--customize-hook=copy-in {CERTIFICATES} {Path(CERTIFICATES).parent}"]
    done = subprocess.run(
        ["mmdebstrap", *options, suite, str(tar), str(sources)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        raise Unavailable(f"mmdebstrap failed: {last_line(done.stdout)}")


def _release() -> str:
    said = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    return said.get("VERSION_CODENAME", "")


def apt_sources() -> list[str]:
    """Return the machine's sources of this Debian release, its main one first, without those of others.

    Raises Unavailable where there is none.
    """
    suite = _release()
    fields = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = {
        f"deb {uri} {release} {component}"
        for uri, release, component, origin in (line.split(maxsplit=3) for line in listed.stdout.splitlines())
        if origin == "Debian" and release.startswith(suite)
    }
    if not found:
        raise Unavailable("apt knows no package source of this Debian: run apt-get update")
    return sorted(found, key=lambda source: (source.split()[2] != suite, source))


def _package_index() -> dict[str, str]:
    """Return what pip and uv must know of this machine inside a build: certificates, and another index than usual."""
    variables = {"PIP_CERT": CERTIFICATES, "SSL_CERT_FILE": CERTIFICATES}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    for name, value in re.findall(r"^\S+\.([a-z-]+)='(https?://[^']*)'$", listed, re.MULTILINE):
        if name == "index-url":
            variables |= {"PIP_INDEX_URL": value, "UV_DEFAULT_INDEX": value}
    return variables
