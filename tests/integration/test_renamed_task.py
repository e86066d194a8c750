"""A deploy in mid-run that renames a task: messages and rows of the version before are done under the new name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.installation import ROOT, Installation
from tests.integration.postgresql import NewDatabase
from tests.integration.test_flower import Browser

pytestmark = pytest.mark.integration
OLD, NEW = "generation.make", "generation.generate"
WORKFLOW = "name: note\nsteps:\n  - {id: write, type: file_generation, config: {file_path: note.md, content: hello}}\n"
CONSUMERS = """
import socket
from backend.config.celery import app
name = f"generation@{socket.gethostname()}"
answer = app.control.%s("generation", destination=[name], reply=True, timeout=5)
"""
# As the version before left it: the row and the message know the old name alone.
SENT_BEFORE = """
from backend.apps.workflows import publishing
from backend.apps.workflows.models import TaskExecution
from backend.config.celery import app
task = TaskExecution.objects.get()
app.control.purge()
shown = task.description.replace("generation.generate", "generation.make")
TaskExecution.objects.update(method="generation.make", description=shown)
app.send_task("generation.make", args=(str(task.pk),), task_id=str(task.pk), argsrepr=shown, kwargsrepr="")
answer = str(task.pk)
"""
NEW_VERSION = """
import sys
from backend.apps.workflows.former_names import FORMER_NAMES
FORMER_NAMES["generation.make"] = "generation.generate"
from celery.__main__ import main
main()
"""


@pytest.mark.both_databases
def test_what_was_sent_under_the_old_name_is_done_and_shown_under_the_new(
    new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    installation = Installation(tmp_path_factory.mktemp("rn"), REPOMILL_RECONCILE_SECONDS="60", **new_database())
    worker: subprocess.Popen[bytes] | None = None
    try:
        info = installation.start()
        installation.cli("projects", "create", "shop")
        installation.django(CONSUMERS % "cancel_consumer")
        (tmp_path / "note.yaml").write_text(WORKFLOW)
        run = installation.json("run", str(tmp_path / "note.yaml"), "--project", "shop")["id"]
        task = installation.django(SENT_BEFORE)

        command = [sys.executable, "-c", NEW_VERSION, "--app", "backend.config.celery", "worker"]
        with (tmp_path / "new.log").open("wb") as log:
            worker = subprocess.Popen(
                [*command, "--queues=generation", "--hostname=new@%h", "--concurrency=1", "--loglevel=INFO"],
                cwd=ROOT,
                env=installation.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        installation.wait_until(
            lambda: installation.show(run)["status"] == "completed", patience=60, what="the end of the run"
        )

        shown = installation.show(run)
        (done,) = shown["steps"][0]["tasks"]
        assert str(done["worker"]).startswith("new@")
        events = installation.django(
            "from backend.apps.workflows.models import ExecutionEvent\n"
            "answer = list(ExecutionEvent.objects.filter(kind='task_completed').values_list('data__method', flat=True))"
        )
        assert events == [NEW]
        password = (installation.data_dir / "secrets" / "operator_password").read_text().strip()
        browser = Browser(info.flower_url, password)

        def in_flower() -> dict[str, str] | None:
            found: dict[str, str] = browser.tasks().get(task, {})
            return found if found.get("state") == "SUCCESS" else None

        known = installation.wait_until(in_flower, patience=20, what="the task in Flower")
        assert (known["name"], known["args"]) == (NEW, f"shop · write · {NEW}")
        assert OLD not in json.dumps(known)
    finally:
        if worker is not None:
            os.killpg(worker.pid, signal.SIGTERM)
            worker.wait(30)
        installation.stop()
