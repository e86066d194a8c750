"""A worker that is asked to stop lets go of its work in time, and another one has it within seconds."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installation import ROOT, Installation
from tests.integration.test_control import GatedServer, gits
from tests.integration.trees import commits

pytestmark = pytest.mark.integration
LEASE = 120
WORKFLOW = """\
name: slow-push
inputs: {type: object, required: [url], properties: {url: {type: string}}}
steps:
  - id: publish
    type: repo_creation
    config: {host: git, url: "${{ inputs.url }}", readme: "# hello"}
"""
CONSUMERS = """
import socket
from backend.config.celery import app
name = f"export@{socket.gethostname()}"
answer = app.control.%s("export", destination=[name], reply=True, timeout=5)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GatedServer]:
    """A git server that lets nobody through until its gate is opened."""
    server = GatedServer(tmp_path / "repositories")
    with server:
        yield server


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose leases are far longer than the test."""
    variables = {"REPOMILL_LEASE_SECONDS": str(LEASE), "REPOMILL_DRAIN_SECONDS": "1"}
    it = Installation(tmp_path_factory.mktemp("dr"), **variables)
    it.start("--no-flower")
    it.cli("projects", "create", "demo")
    yield it
    it.stop()


def start_slow_push(installation: Installation, server: GatedServer, folder: Path) -> str:
    (folder / "slow.yaml").write_text(WORKFLOW)
    url = f"url={server.create_repository('hello.git')}"
    started = installation.json("run", str(folder / "slow.yaml"), "--project", "demo", "--input", url)
    return str(started["id"])


def push_of(installation: Installation, run: str) -> dict[str, Any]:
    found: dict[str, Any] = installation.show(run)["steps"][0]["tasks"][2]
    return found


def wait_for_git(installation: Installation, server: GatedServer) -> None:
    # By its process alone: git gives up on a silent server after half a minute, and a command line takes its time.
    installation.wait_until(lambda: gits(server), patience=60, what="git at work")


def test_a_restart_goes_on_at_once_with_what_was_under_way(
    installation: Installation, server: GatedServer, tmp_path: Path
) -> None:
    run = start_slow_push(installation, server, tmp_path)
    wait_for_git(installation, server)
    installation.stop()
    task = push_of(installation, run)
    assert (task["status"], task["attempts"]) == ("pending", 1)
    server.gate.set()
    began = time.monotonic()
    installation.start("--no-flower")
    installation.wait_until(
        lambda: installation.show(run)["status"] == "completed", patience=LEASE / 2, what="the end of the run"
    )
    assert time.monotonic() - began < LEASE
    assert push_of(installation, run)["attempts"] == 2
    assert "handed back" in installation.cli("show", run, "--events")
    assert len(commits(server.folder / "hello.git")) == 1


def test_another_worker_has_it_within_seconds(installation: Installation, server: GatedServer, tmp_path: Path) -> None:
    # The stack's own worker looks away while the push is given out.
    installation.django(CONSUMERS % "cancel_consumer")
    command = [sys.executable, "-m", "celery", "--app", "backend.config.celery", "worker", "--queues=export"]
    with (tmp_path / "first.log").open("wb") as log:
        first = subprocess.Popen(
            [*command, "--hostname=first@%h", "--concurrency=1", "--loglevel=INFO"],
            cwd=ROOT,
            env=installation.environment,
            stdout=log,
            stderr=log,
        )
    try:
        run = start_slow_push(installation, server, tmp_path)
        wait_for_git(installation, server)
        first.send_signal(signal.SIGTERM)
        assert first.wait(30) == 0
        installation.django(CONSUMERS % "add_consumer")
        taken = installation.wait_until(
            lambda: (task := push_of(installation, run))["attempts"] == 2 and task, patience=30, what="another worker"
        )
        assert str(taken["worker"]).startswith("export@")
    finally:
        first.kill()
        first.wait()
    server.gate.set()
    installation.wait_until(
        lambda: installation.show(run)["status"] == "completed", patience=LEASE / 2, what="the end of the run"
    )
    assert len(commits(server.folder / "hello.git")) == 1
    assert "is handed back" in (tmp_path / "first.log").read_text()
