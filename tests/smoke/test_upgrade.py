"""An upgrade from the image before, with work in flight: REPOMILL_BEFORE in the environment says which code that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from docker import DockerClient

from tests.smoke.containers import (
    DATA,
    GUARDED,
    RepomillContainer,
    RepomillWorker,
    WebContainer,
    beat_command,
    image,
    wait_until,
    worker_command,
)
from tests.smoke.installation import Smoke
from tests.smoke.test_containers import check_published

pytestmark = pytest.mark.smoke
Start = Callable[..., Any]


@pytest.fixture(scope="module")
def smoke_image() -> str:
    """The image before, in place of today's."""
    return image("BEFORE")


@pytest.fixture(scope="module")
def workers() -> tuple[str, ...]:
    """One of each kind: those that come after them are the others."""
    return ("generation", "export", "agents")


@pytest.fixture
def start_new(
    docker_client: DockerClient, smoke_env: dict[str, str], default_pytest_celery_network: Any, data: Any
) -> Iterator[Start]:
    """Starts a container of today's image, beside those of the image before."""
    started: list[Any] = []

    def start(
        kind: type[RepomillContainer],
        command: list[str] | None = None,
        *,
        web: WebContainer | None = None,
        ports: dict[str, None] | None = None,
    ) -> RepomillContainer:
        variables = {"BACKEND_URL": f"http://{web.id[:12]}:8000"} if web else {}
        raw = docker_client.containers.run(
            image("REPOMILL"),
            command,
            detach=True,
            ports=ports,
            environment=smoke_env | variables,
            network=default_pytest_celery_network.name,
            volumes={data.name: {"bind": DATA, "mode": "rw"}},
            **GUARDED,
        )
        started.append(raw)
        return kind(raw)

    yield start
    for raw in started:
        raw.remove(force=True)


def test_an_upgrade_with_work_in_flight(smoke: Smoke, start_new: Start) -> None:
    (finished,) = smoke.end_of(smoke.start("before"))
    check_published(finished, "before")
    smoke.web.pause()
    in_flight = smoke.start("in-flight")
    smoke.under_way(in_flight, "story")

    # As docs/guides/containers.md says: migrate beside the old workers, then replace them.
    migrating = start_new(RepomillContainer, ["repomill", "migrate"])
    wait_until(lambda: not migrating.ready(), patience=60, what="the migration")
    assert migrating.attrs["State"]["ExitCode"] == 0, migrating.logs()
    with ThreadPoolExecutor() as pool:
        stopped = list(pool.map(lambda worker: worker.container.stop(), smoke.setup.worker_cluster))
    assert stopped == [0, 0, 0]
    for old in (smoke.web, smoke.console, smoke.beat):
        old.kill()
    web = start_new(WebContainer, ports={"8000/tcp": None})
    for kind in ("generation", "export", "agents"):
        start_new(RepomillWorker, worker_command(kind), web=web)
    beat = start_new(RepomillContainer, beat_command(), web=web)
    wait_until(web.works, patience=60, what="the new web process")
    new = Smoke(setup=smoke.setup, web=web, console=web, beat=beat)
    new.sign_in(name="after the upgrade")

    (ended,) = new.end_of(in_flight)
    check_published(ended, "in-flight")
    assert new.stories("in-flight") == 1, "begun by the image before, ended by today's"
    assert new.show(finished["id"])["output_data"] == finished["output_data"]
    new.close()
