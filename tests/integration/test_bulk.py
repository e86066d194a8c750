"""A bulk export on real processes: all is delivered, a killed worker costs nothing, the second night is short."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installation import Installation

pytestmark = pytest.mark.integration
COUNT = 30
MAKE = f"""
from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.projects.services.generations import generate
operator = User.objects.get(username="operator")
for number in range({COUNT}):
    project = Project.objects.create(name=f"p{{number}}", slug=f"p{{number}}", owner=operator)
    generate(project=project, user=operator, execution_id=None, readme=f"# {{number}}")
answer = Project.objects.count()
"""


def export_worker_children(installation: Installation) -> list[int]:
    """Return the pool processes of this installation's export worker."""
    found = installation.workers("export")
    return [pid for pid in found if parent_of(pid) in found]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.both_databases
def test_a_night(running: Installation) -> None:
    running.django(MAKE)
    started = running.json("bulk", "start", "--to", "tar.gz", "--window", "8")

    def some_are_done() -> Any:
        told = running.json("bulk", "show", started["id"])
        return told if told["counts"]["completed"] >= 5 else None

    running.wait_until(some_are_done, patience=60, what="the first deliveries")
    os.kill(export_worker_children(running)[0], signal.SIGKILL)
    told = running.json("bulk", "show", started["id"], "--follow")
    assert (told["status"], told["percent"]) == ("completed", 100)
    # The project `demo` of the installation has nothing generated.
    assert (told["counts"]["completed"], told["counts"]["skipped"]) == (COUNT, 1)
    exports = "from backend.apps.exports.models import RepositoryExport as R\nanswer = R.objects.count()"
    assert running.django(exports) == COUNT
    manifest = running.cli("bulk", "report", started["id"], "--format", "manifest")
    checked = subprocess.run(["sha256sum", "--check", "--quiet"], input=manifest, text=True, capture_output=True)
    assert (checked.returncode, len(manifest.splitlines())) == (0, COUNT)
    again = running.json("bulk", "start", "--to", "tar.gz", "--follow")
    assert (again["counts"]["completed"], again["counts"]["skipped"]) == (0, COUNT + 1)
    assert running.django(exports) == COUNT
    made = running.json("schedules", "create", "every-day", "--every", "86400", "--to", "zip", "--keep-last", "1")
    running.cli("schedules", "run", "every-day")

    def has_run() -> Any:
        runs = running.json("schedules", "show", made["id"])["runs"]
        return runs if runs and runs[0]["status"] == "completed" else None

    (run,) = running.wait_until(has_run, patience=60, what="the schedule's run")
    assert run["by_hand"]
