"""A small installation in containers for each module, by pytest-celery's broker, worker and set-up.

Its containers are started without waiting for each other, and each test begins when all of them work. pytest-celery's
own fixtures last for a single test; those here last for a module, because a worker takes seconds to start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from docker import DockerClient
from pytest_celery import CeleryBrokerCluster, CeleryTestSetup, CeleryTestWorker, CeleryWorkerCluster, RedisTestBroker
from pytest_docker_tools import container, fxtr, network, volume

from tests.smoke.containers import (
    CELERY,
    DATA,
    DATABASE,
    GUARDED,
    PASSWORD,
    PasswordRedis,
    PostgresContainer,
    RepomillContainer,
    RepomillWorker,
    WebContainer,
    beat_command,
    image,
    worker_command,
)
from tests.smoke.installation import Smoke

NETWORK = "{default_pytest_celery_network.name}"
MOUNTED = {"{data.name}": {"bind": DATA, "mode": "rw"}}
PATIENCE = 120


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Skip everything where there are no containers, with the reason; tests/conftest.py lets no skip pass on CI."""
    reason = os.environ.get("REPOMILL_NO_CONTAINERS", "")
    if not reason and not image("REPOMILL"):
        reason = "run by scripts/containers run .venv/bin/pytest tests/smoke, which prepares engine and images"
    if reason:
        pytest.skip(reason)


default_pytest_celery_network = network(scope="module")
data = volume(scope="module")
default_redis_broker = container(
    scope="module",
    image=image("REDIS"),
    ports=PasswordRedis.ports(),
    environment=PasswordRedis.initial_env(),
    network=NETWORK,
    wrapper_class=PasswordRedis,
    timeout=PATIENCE,
    command=PasswordRedis.command(),
)
postgres = container(
    scope="module",
    image=image("POSTGRES"),
    environment=DATABASE,
    network=NETWORK,
    wrapper_class=PostgresContainer,
    timeout=PATIENCE,
)


@pytest.fixture(scope="module")
def celery_broker_cluster(default_redis_broker: PasswordRedis) -> Iterator[CeleryBrokerCluster]:
    """Redis alone."""
    cluster = CeleryBrokerCluster(RedisTestBroker(default_redis_broker))
    yield cluster
    cluster.teardown()


@pytest.fixture(scope="module")
def smoke_image() -> str:
    """The image that a module begins with."""
    return image("REPOMILL")


@pytest.fixture(scope="module")
def workers() -> tuple[str, ...]:
    """Which workers there are: two of each kind."""
    return ("generation", "generation_2", "export", "export_2", "agents", "agents_2")


@pytest.fixture(scope="module")
def smoke_env(celery_broker_cluster: CeleryBrokerCluster, postgres: PostgresContainer) -> dict[str, str]:
    """What all containers of our image are told."""
    return RepomillWorker.initial_env(
        {"celery_broker_cluster_config": celery_broker_cluster.config()},
        {
            "DATABASE_URL": f"postgres://repomill:{PASSWORD}@{postgres.id[:12]}:5432/repomill",
            "REPOMILL_ALLOWED_HOSTS": "*",
            "REPOMILL_ALIVE_FILE": "/tmp/alive",
            "REPOMILL_DRAIN_SECONDS": "2",
            "REPOMILL_LEASE_SECONDS": "6",
            "REPOMILL_RECONCILE_SECONDS": "1",
        },
    )


@pytest.fixture(scope="module")
def smoke_env_migrated(
    docker_client: DockerClient,
    smoke_image: str,
    smoke_env: dict[str, str],
    default_pytest_celery_network: Any,
    data: Any,
) -> dict[str, str]:
    """The same, when the database is up to date; the service `migrate` does it."""
    docker_client.containers.run(
        smoke_image,
        ["repomill", "migrate"],
        environment=smoke_env,
        network=default_pytest_celery_network.name,
        volumes={data.name: {"bind": DATA, "mode": "rw"}},
        remove=True,
        **GUARDED,
    )
    return smoke_env


@pytest.fixture(scope="module")
def smoke_env_with_web(smoke_env: dict[str, str], web: WebContainer) -> dict[str, str]:
    """The same, with the address of the API that agents call."""
    return smoke_env | {"BACKEND_URL": f"http://{web.id[:12]}:8000"}


def _own(kind: type[RepomillContainer], environment: str, **options: Any) -> Any:
    return container(
        scope="module",
        image="{smoke_image}",
        environment=fxtr(environment),
        network=NETWORK,
        volumes=MOUNTED,
        wrapper_class=kind,
        timeout=PATIENCE,
        **options,
        **GUARDED,
    )


def _worker(kind: str) -> Any:
    return _own(RepomillWorker, "smoke_env_with_web", command=worker_command(kind, program=CELERY))


web = _own(WebContainer, "smoke_env_migrated")
console = _own(WebContainer, "smoke_env_migrated", ports={"8000/tcp": None})
beat = _own(RepomillContainer, "smoke_env_with_web", command=beat_command(program=CELERY))
generation, generation_2 = _worker("generation"), _worker("generation")
export, export_2 = _worker("export"), _worker("export")
agents, agents_2 = _worker("agents"), _worker("agents")


@pytest.fixture(scope="module")
def celery_worker_cluster(request: pytest.FixtureRequest, workers: tuple[str, ...]) -> Iterator[CeleryWorkerCluster]:
    """The workers that the module wants."""
    cluster = CeleryWorkerCluster(*(CeleryTestWorker(request.getfixturevalue(name), app=None) for name in workers))
    yield cluster
    cluster.teardown()


@pytest.fixture(scope="module")
def celery_setup(
    celery_broker_cluster: CeleryBrokerCluster, celery_worker_cluster: CeleryWorkerCluster
) -> Iterator[CeleryTestSetup]:
    """Broker and workers together, without a result backend: the database is where results are."""
    config = CeleryTestSetup.config({"celery_broker_cluster_config": celery_broker_cluster.config()})
    setup = CeleryTestSetup(
        worker_cluster=celery_worker_cluster,
        broker_cluster=celery_broker_cluster,
        backend_cluster=None,
        app=CeleryTestSetup.create_setup_app(config, CeleryTestSetup.name()),
    )
    yield setup
    setup.teardown()


@pytest.fixture(scope="module")
def installation(
    celery_setup: CeleryTestSetup, web: WebContainer, console: WebContainer, beat: RepomillContainer
) -> Iterator[Smoke]:
    """The whole of it, with a project and the workflow, used from outside."""
    smoke = Smoke(setup=celery_setup, web=web, console=console, beat=beat)
    smoke.heal()
    smoke.sign_in()
    smoke.prepare()
    yield smoke
    smoke.close()


@pytest.fixture
def smoke(installation: Smoke) -> Smoke:
    """The same; what the test before has struck works again."""
    installation.heal()
    return installation
