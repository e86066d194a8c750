"""The engine: one that runs already, or one of our own, with a socket, a data folder and a process of its own.

It does not touch an engine that it did not start. What its data folder keeps between two runs only saves time.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

SOCKET = "unix:///run/repomill-engine.sock"
PID_FILE = Path("/run/repomill-engine.pid")
EXEC_ROOT = "/run/repomill-engine"
DATA = Path("/var/lib/repomill-engine")
LOG = DATA / "dockerd.log"
# Tried in this order: what a machine has by itself, then what works inside another container, then without the kernel's
# packet filter, in which containers reach each other and this machine but nothing outside.
FLAGS: tuple[tuple[str, ...], ...] = (
    (),
    ("--storage-driver=vfs",),
    ("--storage-driver=vfs", "--iptables=false", "--ip6tables=false"),
)
PATIENCE = 40.0


class Unavailable(Exception):
    """There is no engine, or no image, and none can be made here."""


def find_or_start(*, install: bool) -> str:
    """Return the address of an engine that answers. Raises Unavailable with the reason and what to do."""
    for host in (os.environ.get("DOCKER_HOST", ""), "", SOCKET):
        if answers(host):
            return host or _context_host()
    if os.geteuid() != 0:
        raise Unavailable("no container engine answers, and only root can start one: start Docker, or run as root")
    if shutil.which("dockerd") is None or shutil.which("docker") is None:
        if not install:
            raise Unavailable("no container engine is installed: install Docker, or say --install")
        apt_install("docker.io", "iptables")
    return _start()


def answers(host: str) -> bool:
    """Say whether an engine answers; an empty address is the one that `docker` uses by itself."""
    if shutil.which("docker") is None:
        return False
    variables = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    if host:
        variables["DOCKER_HOST"] = host
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], env=variables, capture_output=True, check=False
    )
    return asked.returncode == 0


def is_own_running() -> bool:
    """Say whether the engine that was started here runs."""
    return _own_pid() is not None


def stop() -> None:
    """Stop the engine that was started here, with its containers; harmless when there is none."""
    pid = _own_pid()
    if pid is None:
        return
    listed = subprocess.run(["docker", "--host", SOCKET, "ps", "--quiet"], capture_output=True, text=True, check=False)
    if names := listed.stdout.split():
        subprocess.run(["docker", "--host", SOCKET, "kill", *names], capture_output=True, check=False)
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while _own_pid() == pid and time.monotonic() < deadline:
        time.sleep(0.2)


def apt_install(*packages: str, sources: Path | None = None) -> None:
    """Install Debian packages; from other sources than the machine's where a list of them is given.

    Raises Unavailable with apt's last words.
    """
    if shutil.which("apt-get") is None:
        raise Unavailable(f"{' and '.join(packages)} cannot be installed: there is no apt-get here")
    say(f"installing {' '.join(packages)}")
    variables = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command_line = ["apt-get", "--option=DPkg::Lock::Timeout=120"]
    if sources:
        # What it reads of them lies beside the list, so that the machine's own apt knows nothing of it.
        beside = {"Etc::SourceList": sources, "Etc::SourceParts": os.devnull, "State::Lists": sources.parent / "lists"}
        command_line += [f"--option=Dir::{name}={path}" for name, path in beside.items()]
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            [*command_line, *command],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != 0:
            raise Unavailable(f"apt-get {command[0]} failed: {last_line(done.stdout)}")


def say(text: str) -> None:
    """Print one line of progress where it does not mix with what a shell reads."""
    print(f"containers: {text}", file=sys.stderr, flush=True)  # noqa: T201  (the way a script speaks)


def last_line(output: bytes) -> str:
    """Return the last line of a program's output that says something."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _start() -> str:
    DATA.mkdir(parents=True, exist_ok=True)
    failures = []
    for flags in FLAGS:
        say(f"starting dockerd {' '.join(flags)}".rstrip())
        if failure := _try(flags):
            failures.append(f"dockerd {' '.join(flags)}: {failure}")
        else:
            return SOCKET
    raise Unavailable(f"dockerd does not run here; {'; '.join(failures)} (details: {LOG})")


def _try(flags: tuple[str, ...]) -> str:
    """Start dockerd and return why it does not answer; nothing when it does."""
    # A data folder for each storage driver: dockerd refuses one that another driver has written.
    data = DATA / ("vfs" if any("vfs" in flag for flag in flags) else "data")
    command = ["dockerd", "--host", SOCKET, "--pidfile", str(PID_FILE), "--exec-root", EXEC_ROOT]
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            [*command, "--data-root", str(data), *flags],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if answers(SOCKET):
            return ""
        time.sleep(0.3)
    process.terminate()
    process.wait()
    return last_line(LOG.read_bytes())


def _own_pid() -> int | None:
    try:
        pid = int(PID_FILE.read_text())
        os.kill(pid, 0)
        return pid if b"dockerd" in Path(f"/proc/{pid}/cmdline").read_bytes() else None
    except (OSError, ValueError):
        return None


def _context_host() -> str:
    asked = subprocess.run(
        ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unix:///var/run/docker.sock"
