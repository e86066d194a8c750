"""An installation in containers, used from outside: by its REST API and its engine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
from pytest_celery import CeleryTestSetup, CeleryTestWorker

from tests.smoke.containers import DATA, RepomillContainer, WebContainer, wait_until

WORKFLOW = "/opt/repomill/app/examples/publish-service/workflow.yaml"
DONE = {"completed", "failed", "cancelled", "in_doubt"}


@dataclass
class Smoke:
    """Broker, database, workers, web and beat."""

    setup: CeleryTestSetup
    web: WebContainer
    """What agents call."""
    console: WebContainer
    """What the tests call: a web process that none of them strikes."""
    beat: RepomillContainer

    def heal(self) -> None:
        """Let everything run again that was struck, and wait until all of it works."""
        containers = [self.web, self.console, self.beat, *(node.container for node in self.setup.worker_cluster)]
        for container in containers:
            container.heal()
        for container in containers:
            wait_until(container.works, patience=120, what=f"{container.name} to work\n{container.logs()[-2000:]}")

    def sign_in(self, name: str = "smoke") -> None:
        """Log in as the operator, and go on with a token that outlives all tests."""
        status, password = self.console.exec_run(["cat", f"{DATA}/secrets/operator_password"])
        assert status == 0, password.decode()
        account = {"username": "operator", "password": password.decode().strip()}
        self._use(self._asked("POST", "auth/token/", json=account)["access"])
        self._use(self._asked("POST", "auth/tokens/", json={"name": name, "scopes": ["write", "run"]})["token"])

    def prepare(self) -> None:
        """Make a project, and save the workflow that the image brings."""
        self._asked("POST", "projects/", json={"name": "demo"})
        status, definition = self.console.exec_run(["cat", WORKFLOW])
        assert status == 0, definition.decode()
        self._asked("POST", "workflows/", content=definition, headers={"Content-Type": "application/yaml"})

    def close(self) -> None:
        """Close the connections to the API."""
        self._api.close()

    def start(self, name: str) -> str:
        """Start the three-step workflow and return the run's id."""
        wanted = {"workflow": "publish-service", "project": "demo", "input_data": {"name": name}}
        return str(self._asked("POST", "workflows/executions/", json=wanted)["id"])

    def show(self, run: str) -> dict[str, Any]:
        """Return a run."""
        return self._asked("GET", f"workflows/executions/{run}/")

    def tasks(self, run: str) -> list[dict[str, Any]]:
        """Return a run's tasks."""
        found: list[dict[str, Any]] = self._asked("GET", f"workflows/executions/{run}/tasks/")["results"]
        return found

    def task(self, run: str, step: str) -> dict[str, Any] | None:
        """Return a step's only task, if it is there yet."""
        return next((task for task in self.tasks(run) if task["step"] == step), None)

    def end_of(self, *runs: str, patience: float = 90) -> list[dict[str, Any]]:
        """Wait until runs have ended, and return them."""
        return [self._end_of(run, patience) for run in runs]

    def _end_of(self, run: str, patience: float) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            shown = self.show(run)
            return shown if shown["status"] in DONE else None

        return wait_until(ended, patience=patience, what=f"the end of run {run}")

    def stories(self, name: str) -> int:
        """Return how many stories a run's first step has made, whoever asked for them and however often."""
        (project,) = self._asked("GET", "projects/", params={"search": "demo"})["results"]
        made = self._asked("GET", f"projects/{project['id']}/stories/", params={"page_size": "100"})
        return sum(story["title"] == f"Publish {name}" for story in made["results"])

    def under_way(self, run: str, step: str, *, attempt: int = 1) -> dict[str, Any]:
        """Wait until a step's task is done by a worker, and return the task."""

        def running() -> dict[str, Any] | None:
            task = self.task(run, step)
            return task if task and task["status"] == "running" and task["attempts"] == attempt else None

        return wait_until(running, patience=60, what=f"attempt {attempt} of the step {step} to be under way")

    def worker_of(self, task: dict[str, Any]) -> CeleryTestWorker:
        """Return the worker that does a task, by the name that its row has."""
        return next(node for node in self.setup.worker_cluster if node.container.id[:12] in task["worker"])

    @cached_property
    def _api(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.console.host_url}/api/v1/", timeout=30, trust_env=False)

    def _use(self, token: str) -> None:
        self._api.headers["Authorization"] = f"Bearer {token}"

    def _asked(self, method: str, address: str, **options: Any) -> dict[str, Any]:
        response = self._api.request(method, address, **options)
        assert response.is_success, f"{method} {address}: {response.status_code} {response.text}"
        answer: dict[str, Any] = response.json()
        return answer
