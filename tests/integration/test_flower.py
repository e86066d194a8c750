"""Flower as operators meet it: behind its password, without anybody's data, linked to the run, and with a memory."""

import base64
import json
import shelve
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from celery.events.state import Task

from tests.integration.installation import Installation

pytestmark = pytest.mark.integration
MOST_TASKS = 10_000
SECRET = "only-in-the-inputs-5f1c"
WORKFLOW = """
name: note
inputs: {type: object, properties: {word: {type: string}}}
steps:
  - {id: write, type: file_generation, config: {file_path: note.md, content: "${{ inputs.word }}"}}
  - {id: ask, type: api_call, config: {method: GET, endpoint: "/${{ inputs.word }}/"}}
"""


class Browser:
    """What an operator's browser asks of Flower, with or without the password."""

    def __init__(self, address: str, password: str) -> None:
        self.address = address
        self._header = "Basic " + base64.b64encode(f"operator:{password}".encode()).decode()

    def ask(self, path: str, *, signed_in: bool = True, method: str = "GET") -> tuple[int, str]:
        """Return status and text of an answer."""
        request = urllib.request.Request(self.address + path, method=method)
        if signed_in:
            request.add_header("Authorization", self._header)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def tasks(self) -> dict[str, Any]:
        """Return what Flower's API knows of tasks."""
        found: dict[str, Any] = json.loads(self.ask("api/tasks")[1])
        return found


DATATABLE = "tasks/datatable?" + urllib.parse.urlencode(
    {"draw": 1, "start": 0, "length": 50, "order[0][column]": 0, "columns[0][data]": "name"}
)
PAGES = ("", "workers", "tasks", DATATABLE, "broker", "metrics", "api/workers?refresh=1", "api/tasks", "api/task/types")


def test_it_is_closed_tells_no_data_links_to_the_run_and_remembers(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    installation = Installation(tmp_path_factory.mktemp("flower"))
    try:
        info = installation.start()
        password = (installation.data_dir / "secrets" / "operator_password").read_text().strip()
        browser = Browser(info.flower_url, password)
        installation.cli("projects", "create", "shop")
        (tmp_path / "note.yaml").write_text(WORKFLOW)
        given = ("run", str(tmp_path / "note.yaml"), "--project", "shop", "--input", f"word={SECRET}")
        installation.cli(*given, "--follow", code=1)

        shown = installation.show("last")
        ids = {task["id"] for step in shown["steps"] for task in step["tasks"]}
        assert len(ids) == 2
        known = installation.wait_until(lambda: _finished(browser.tasks(), ids), patience=20, what="both tasks")
        assert {task["args"] for task in known.values()} == {
            "shop · write · generation.generate",
            "shop · ask · agents.call",
        }
        assert {task["kwargs"] for task in known.values()} == {""}

        seen = []
        for page in (*PAGES, *(f"task/{task}" for task in ids), *(f"api/task/info/{task}" for task in ids)):
            status, text = browser.ask(page)
            assert status == 200, page
            seen.append(text)
            # What needs no password is the health check alone; Flower's own /metrics would not ask for one either.
            assert browser.ask(page, signed_in=False)[0] == 401, page
        assert browser.ask("healthcheck", signed_in=False) == (200, "OK")
        for text in seen:
            assert SECRET not in text
            assert password not in text
        for task in ids:
            assert f'href="{info.web_url}/tasks/{task}/"' in browser.ask(f"task/{task}")[1]
            assert browser.ask(f"api/task/revoke/{task}", method="POST")[0] == 403
        assert browser.ask("api/worker/shutdown/agents@x", method="POST")[0] == 403

        installation.stop()
        grow(installation.data_dir / "flower" / "flower.db")
        info = installation.start()
        browser = Browser(info.flower_url, password)
        # What it remembers is bounded, and the oldest goes first.
        remembered = set(json.loads(browser.ask("api/tasks?limit=20000")[1]))
        assert len(remembered) <= MOST_TASKS
        assert remembered >= ids
        assert "filler-0" not in remembered

        def workers() -> dict[str, bool] | None:
            rows = json.loads(browser.ask("workers?json=1")[1])["data"]
            return {row["hostname"]: row["status"] for row in rows} if sum(row["status"] for row in rows) == 3 else None

        listed = installation.wait_until(workers, patience=30, what="three workers that are online")
        assert "gone@nowhere" not in listed
    finally:
        installation.stop()


def grow(memory: Path) -> None:
    """Give Flower's kept state more tasks than it may remember, and a worker that has been offline for long."""
    now = time.time()
    with shelve.open(str(memory)) as kept:
        state = kept["events"]
        # As a state that was kept under a larger limit; the tasks of this run are the newest.
        state.tasks.limit = state.max_tasks_in_memory = 2 * MOST_TASKS
        own = list(state.tasks.items())
        state.tasks.clear()
        for number in range(MOST_TASKS + 5):
            state.tasks[f"filler-{number}"] = Task(uuid=f"filler-{number}", name="x", timestamp=now, received=now)
        for name, task in own:
            state.tasks[name] = task
        worker, _ = state.get_or_create_worker("gone@nowhere")
        worker.heartbeats = [now - 600]
        worker.expire_window = 0
        state.counter["gone@nowhere"]["worker-heartbeat"] += 1
        kept["events"] = state


def _finished(tasks: dict[str, Any], ids: set[str]) -> dict[str, Any] | None:
    found = {id_: task for id_, task in tasks.items() if id_ in ids and task["state"] in {"SUCCESS", "FAILURE"}}
    return found if set(found) == ids else None
