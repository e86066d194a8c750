"""Our image in real containers, on a real Redis and PostgreSQL: what a deployment relies on, seen from outside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.smoke.containers import wait_until
from tests.smoke.installation import Smoke

pytestmark = pytest.mark.smoke


def check_published(run: dict[str, Any], name: str) -> None:
    assert run["status"] == "completed", run["error"]
    assert [step["status"] for step in run["steps"]] == ["completed"] * 3
    assert run["outputs"]["repository"].endswith(f"{name}.git")
    assert len(run["outputs"]["commit"]) == 40


def test_the_three_step_workflow(smoke: Smoke) -> None:
    (run,) = smoke.end_of(smoke.start("three-steps"))
    check_published(run, "three-steps")
    assert smoke.stories("three-steps") == 1
    kinds = {task["method"].split(".")[0] for step in run["steps"] for task in step["tasks"]}
    assert kinds == {"agents", "generation", "export"}
    for worker in smoke.setup.worker_cluster:
        assert worker.container.exec_run(["test", "-e", "/tmp/alive"])[0] == 0, "the health check sees it"
        assert worker.container.exec_run(["touch", "/opt/repomill/app/x"])[0] != 0, "the root is read-only"
        assert worker.container.exec_run(["id", "-u"])[1].strip() == b"10001"
    assert not smoke.setup.broker.container.client.keys("celery-task-meta-*"), "no result is kept in the broker"


@pytest.mark.workers("generation", "export", "agents", "agents_2")
def test_a_worker_killed_in_mid_task(smoke: Smoke) -> None:
    # Its request gets no answer while the web process stands still, so the worker is in the middle of it.
    smoke.web.pause()
    run = smoke.start("killed")
    victim = smoke.worker_of(smoke.under_way(run, "story"))
    victim.kill()
    smoke.web.unpause()
    (ended,) = smoke.end_of(run)
    check_published(ended, "killed")
    (task,) = ended["steps"][0]["tasks"]
    assert task["attempts"] == 2
    assert victim.container.id[:12] not in task["worker"]
    assert smoke.stories("killed") == 1, "two attempts, one story"


def test_the_broker_restarted(smoke: Smoke) -> None:
    before = smoke.start("before-restart")
    smoke.setup.broker.restart()
    after = smoke.start("after-restart")
    for name, run in zip(("before-restart", "after-restart"), smoke.end_of(before, after), strict=True):
        check_published(run, name)
        assert smoke.stories(name) == 1


@pytest.mark.workers("generation", "generation_2", "export", "export_2", "agents", "agents_2")
def test_two_workers_of_each_kind_share_the_load(smoke: Smoke) -> None:
    names = [f"shared-{number}" for number in range(6)]
    ended = smoke.end_of(*[smoke.start(name) for name in names])
    served: dict[str, set[str]] = {}
    for name, run in zip(names, ended, strict=True):
        check_published(run, name)
        for task in (task for step in run["steps"] for task in step["tasks"]):
            served.setdefault(task["method"].split(".")[0], set()).add(task["worker"].split(":")[0])
    assert {kind: len(workers) for kind, workers in served.items()} == {"agents": 2, "generation": 2, "export": 2}


def test_a_worker_that_is_stopped_drains(smoke: Smoke) -> None:
    smoke.web.pause()
    run = smoke.start("drained")
    stopped = smoke.worker_of(smoke.under_way(run, "story"))
    assert stopped.container.stop() == 0
    task = wait_until(
        lambda: next(
            (task for step in smoke.show(run)["steps"] for task in step["tasks"] if task["status"] == "pending"), None
        ),
        patience=20,
        what="its work to be handed back",
    )
    assert task["attempts"] == 1
    smoke.web.unpause()
    stopped.restart()
    (ended,) = smoke.end_of(run)
    check_published(ended, "drained")
    assert smoke.stories("drained") == 1
