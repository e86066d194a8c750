"""Our image in real containers, on a real Redis and PostgreSQL: what a deployment relies on, seen from outside."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_celery import CeleryTestWorker

from tests.smoke.installation import Smoke

pytestmark = pytest.mark.smoke
# As in docker-compose.yml.
HEALTH = "find /tmp/alive -mmin -1 | grep -q ."


def check_published(run: dict[str, Any], name: str) -> None:
    assert run["status"] == "completed", run["error"]
    assert [step["status"] for step in run["steps"]] == ["completed"] * 3
    assert run["output_data"]["repository"].endswith(f"{name}.git")
    assert len(run["output_data"]["commit"]) == 40


def test_the_three_step_workflow(smoke: Smoke) -> None:
    run = smoke.start("three-steps")
    (ended,) = smoke.end_of(run)
    check_published(ended, "three-steps")
    assert smoke.stories("three-steps") == 1
    assert {task["method"].split(".")[0] for task in smoke.tasks(run)} == {"agents", "generation", "export"}
    for worker in smoke.setup.worker_cluster:
        assert worker.container.exec_run(["sh", "-c", HEALTH])[0] == 0, "the health check sees it"
        assert worker.container.exec_run(["touch", "/opt/repomill/app/x"])[0] != 0, "the root is read-only"
        assert worker.container.exec_run(["id", "-u"])[1].strip() == b"10001"
    assert not smoke.setup.broker.container.client.keys("celery-task-meta-*"), "no result is kept in the broker"


def test_two_workers_of_each_kind_share_the_load(smoke: Smoke) -> None:
    names = [f"shared-{number}" for number in range(6)]
    runs = [smoke.start(name) for name in names]
    served: dict[str, set[str]] = {}
    for name, run, ended in zip(names, runs, smoke.end_of(*runs), strict=True):
        check_published(ended, name)
        for task in smoke.tasks(run):
            served.setdefault(task["method"].split(".")[0], set()).add(task["worker"].split(":")[0])
    assert {kind: len(workers) for kind, workers in served.items()} == {"agents": 2, "generation": 2, "export": 2}


def test_a_worker_killed_in_mid_task(smoke: Smoke) -> None:
    # Its request gets no answer while the web process stands still, so the worker is in the middle of it.
    smoke.web.pause()
    run = smoke.start("killed")
    victim = smoke.worker_of(smoke.under_way(run, "story"))
    victim.kill()
    smoke.web.unpause()
    check_taken_over(smoke, run, "killed", victim)


def test_a_worker_that_is_stopped_drains(smoke: Smoke) -> None:
    smoke.web.pause()
    run = smoke.start("drained")
    stopped = smoke.worker_of(smoke.under_way(run, "story"))
    assert stopped.container.stop() == 0
    handed_back = smoke.under_way(run, "story", attempt=2)
    assert smoke.worker_of(handed_back) is not stopped
    smoke.web.unpause()
    check_taken_over(smoke, run, "drained", stopped)


def check_taken_over(smoke: Smoke, run: str, name: str, gone: CeleryTestWorker) -> None:
    (ended,) = smoke.end_of(run)
    check_published(ended, name)
    task = smoke.task(run, "story")
    assert task
    assert task["attempts"] == 2
    assert smoke.worker_of(task) is not gone
    assert smoke.stories(name) == 1, "two attempts, one story"


def test_the_broker_restarted(smoke: Smoke) -> None:
    before = smoke.start("before-restart")
    smoke.setup.broker.restart()
    after = smoke.start("after-restart")
    for name, run in zip(("before-restart", "after-restart"), smoke.end_of(before, after), strict=True):
        check_published(run, name)
        assert smoke.stories(name) == 1
