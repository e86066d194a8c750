"""An installation in containers, used from outside: by its command line and its engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_celery import CeleryTestSetup, CeleryTestWorker

from tests.smoke.containers import RepomillContainer, WebContainer, wait_until

WORKFLOW = "/opt/repomill/app/examples/publish-service/workflow.yaml"
DONE = {"completed", "failed", "cancelled", "in_doubt"}


@dataclass
class Smoke:
    """Broker, database, workers, web and beat."""

    setup: CeleryTestSetup
    web: WebContainer
    console: RepomillContainer
    """Where `repomill` is called: a container that no test strikes."""

    def start(self, name: str) -> str:
        """Start the three-step workflow and return the run's id."""
        started = self.console.repomill("run", WORKFLOW, "--project", "demo", "--input", f"name={name}")
        return str(started["id"])

    def show(self, run: str) -> dict[str, Any]:
        """Return a run."""
        shown: dict[str, Any] = self.console.repomill("show", run)
        return shown

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
        found = f"Story.objects.filter(title='Publish {name}').count()"
        code = f"import django; django.setup(); from backend.apps.projects.models import Story; print({found})"
        status, output = self.console.exec_run(["python", "-c", code])
        assert status == 0, output.decode()
        return int(output)

    def under_way(self, run: str, step: str) -> dict[str, Any]:
        """Wait until a step's first task is done by a worker, and return the task."""

        def running() -> dict[str, Any] | None:
            (task, *_) = next(found for found in self.show(run)["steps"] if found["id"] == step)["tasks"] or [None]
            return task if task and task["status"] == "running" else None

        return wait_until(running, patience=30, what=f"the step {step} to be under way")

    def worker_of(self, task: dict[str, Any]) -> CeleryTestWorker:
        """Return the worker that does a task, by the name that its row has."""
        return next(node for node in self.setup.worker_cluster if node.container.id[:12] in task["worker"])
