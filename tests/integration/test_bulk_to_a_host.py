"""Bulk exports to a host that enforces its limits, and in whose middle workers and the broker are lost."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hosts.github_server import ALICE
from tests.integration.hosts.limited_github import LimitedGitHub
from tests.integration.installation import Installation
from tests.integration.test_bulk import export_worker_children

pytestmark = pytest.mark.integration
REPOSITORIES = int(os.environ.get("REPOMILL_TEST_REPOSITORIES", "100"))
"""How many are published at the host's pace; these take two of its minutes, and 400 nearly eight."""
FASTER = 4.0
MAKE = """
from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.projects.models import Project
from backend.apps.projects.services.generations import generate
operator = User.objects.get(username="operator")
for number in range({count}):
    project = Project.objects.create(name=f"p{{number}}", slug=f"p{{number}}", owner=operator)
    generate(project=project, user=operator, execution_id=None, readme=f"# {{number}}")
add_credential(user=operator, name="bot", host="github", secret=Secret({token!r}), base_url={url!r})
answer = Project.objects.count()
"""
STATUSES = """
from backend.apps.exports.models import RepositoryExport
answer = list(RepositoryExport.objects.values_list("status", flat=True))
"""
TO_THE_ORGANISATION = (
    *("--to", "github", "--set", "credential=bot", "--set", "organization=acme"),
    *("--set", "repository_name={slug}-kept"),
)


@pytest.fixture
def published(tmp_path: Path) -> Iterator[Any]:
    """Give a function that brings up a host and an installation with so many projects to be published there."""
    made: list[Any] = []

    def bring_up(count: int, *, faster: float) -> tuple[Installation, LimitedGitHub]:
        server = LimitedGitHub(tmp_path / "github", faster=faster)
        server.start()
        made.append(server)
        installation = Installation(
            tmp_path / "rm",
            DJANGO_SETTINGS_MODULE="tests.integration.fast_limits_settings",
            REPOMILL_TEST_FASTER=str(faster),
            REPOMILL_TEST_GITHUB=server.origin,
        )
        installation.start()
        made.append(installation)
        assert installation.django(MAKE.format(count=count, token=ALICE, url=server.origin)) == count
        return installation, server

    yield bring_up
    for thing in reversed(made):
        thing.stop()


def test_hundreds_of_repositories_keep_to_the_limits(published):
    installation, server = published(REPOSITORIES, faster=FASTER)
    plan = installation.json("bulk", "plan", *TO_THE_ORGANISATION)
    assert plan["deliveries"] == REPOSITORIES
    assert "a minute" in plan["bound_by"] or "an hour" in plan["bound_by"] or " s" in plan["bound_by"]
    began = time.monotonic()
    started = installation.json("bulk", "start", *TO_THE_ORGANISATION)
    told = installation.wait_until(_ended(installation, started["id"]), patience=900, what="the end of the bulk export")
    taken = time.monotonic() - began
    sys.stdout.write(
        f"{REPOSITORIES} repositories: {plan['seconds']:.0f} s were told, {taken:.0f} s it took; met: {server.hits}\n"
    )
    assert (told["status"], told["counts"]["completed"]) == ("completed", REPOSITORIES), told
    assert len(server.hits) <= 1
    # What was under way when the limit was met may still arrive, from each of the two processes.
    assert server.asked_while_refused <= 2 * len(server.hits)
    assert sorted(server.made) == sorted(f"acme/p{number}-kept" for number in range(REPOSITORIES))
    assert {server.changes(name) for name in server.made} == {1}
    # The plan is what the limits allow: no bulk export that keeps to them is over before.
    assert taken >= plan["seconds"] * 0.95


# Not in the test command, because it takes two minutes. That a killed broker comes back is in `test_up` too.
@pytest.mark.chaos
def test_a_lost_worker_and_a_lost_broker_repeat_no_effect(published):
    count = 40
    # A clock so fast that no limit is near.
    installation, server = published(count, faster=600.0)
    started = installation.json("bulk", "start", *TO_THE_ORGANISATION)
    strikes = [(5, "worker"), (15, "broker"), (25, "worker")]
    for after, victim in strikes:
        installation.wait_until(partial(_has_made, server, after), patience=120, what=f"{after} repositories")
        # The stack ends with a worker's main process, so its children are struck.
        struck = export_worker_children(installation) if victim == "worker" else installation.processes("-server ")
        assert struck
        for pid in struck:
            os.kill(pid, signal.SIGKILL)
    told = installation.wait_until(_ended(installation, started["id"]), patience=120, what="the end of the bulk export")
    assert (told["status"], told["counts"]["completed"]) == ("completed", count), told
    assert sorted(server.made) == sorted(f"acme/p{number}-kept" for number in range(count))
    assert {name: server.changes(name) for name in server.made} == dict.fromkeys(server.made, 1)
    assert installation.django(STATUSES) == ["completed"] * count


def _has_made(server: LimitedGitHub, count: int) -> bool:
    return len(server.made) >= count


def _ended(installation: Installation, bulk_export_id: str) -> Any:
    def ended() -> Any:
        time.sleep(1)
        told = installation.json("bulk", "show", bulk_export_id)
        return told if told["completed_at"] else None

    return ended
