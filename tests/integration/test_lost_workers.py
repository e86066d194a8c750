"""A task that ends whatever process does it fails in the end, and leaves the workers to the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.apps.workflows.decisions.retry import MOST_LOSSES
from tests.integration.installation import Installation
from tests.integration.test_control import GatedServer
from tests.integration.test_draining import push_of, start_slow_push, wait_for_git
from tests.integration.trees import commits

pytestmark = pytest.mark.integration
LOSE = """
from backend.apps.workflows.models import TaskExecution
answer = TaskExecution.objects.filter(execution_id={run!r}, position=2).update(losses={losses})
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GatedServer]:
    """A git server that lets nobody through until its gate is opened."""
    server = GatedServer(tmp_path / "repositories")
    with server:
        yield server


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that takes work over after two seconds."""
    it = Installation(tmp_path_factory.mktemp("lw"), REPOMILL_LEASE_SECONDS="2", REPOMILL_RECONCILE_SECONDS="1")
    it.start("--no-flower")
    it.cli("projects", "create", "demo")
    yield it
    it.stop()


def test_it_fails_with_a_reason_and_can_be_retried(
    installation: Installation, server: GatedServer, tmp_path: Path
) -> None:
    run = start_slow_push(installation, server, tmp_path)
    wait_for_git(installation, server)
    # All but two of those it may lose: each costs a lease.
    assert installation.django(LOSE.format(run=run, losses=MOST_LOSSES - 2)) == 1
    for attempts in (1, 2):
        kill_what_does_it(installation)
        wait_for_another_attempt(installation, run, attempts)
    installation.wait_until(
        lambda: installation.show(run)["status"] == "failed", patience=60, what="the failure of the run"
    )
    assert push_of(installation, run)["attempts"] == 3
    shown = installation.cli("show", run)
    assert "10 workers, one after the other, were lost" in shown
    assert "then have it retried" in shown

    server.gate.set()
    installation.cli("resume", run)
    installation.wait_until(
        lambda: installation.show(run)["status"] == "completed", patience=60, what="the end of the run"
    )
    assert len(commits(server.folder / "hello.git")) == 1


def wait_for_another_attempt(installation: Installation, run: str, attempts: int) -> None:
    installation.wait_until(
        lambda: push_of(installation, run)["attempts"] > attempts, patience=60, what="another attempt"
    )


def kill_what_does_it(installation: Installation) -> None:
    """Kill the export worker's pool process that has a git at work."""
    workers = set(installation.workers("export"))
    process = installation.wait_until(
        lambda: next(iter({parent_of(git) for git in installation.processes("git ")} & workers), None),
        patience=60,
        what="git at work",
    )
    os.kill(process, signal.SIGKILL)


def parent_of(pid: int) -> int:
    """Return the id of a process's parent, or nobody's where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
