"""A small installation in containers for each test, by pytest-celery's fixtures: broker, workers and what they need.

The mark `workers` says which workers a test has; two of a kind are `agents` and `agents_2`. pytest-celery's own plugin
is switched off elsewhere, so its fixtures are named here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_celery import (  # noqa: F401  (fixtures)
    CeleryBrokerCluster,
    CeleryTestWorker,
    CeleryWorkerCluster,
    RedisTestBroker,
    celery_backend_cluster_config,
    celery_broker_cluster_config,
    celery_redis_broker,
    celery_setup,
    celery_setup_app,
    celery_setup_cls,
    celery_setup_config,
    celery_setup_name,
    celery_worker_cluster_config,
    default_pytest_celery_network,
    default_redis_broker_command,
    default_redis_broker_env,
    default_redis_broker_image,
    default_redis_broker_ports,
    default_worker_cls,
)
from pytest_docker_tools import container, fxtr, volume

from tests.smoke.containers import (
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip everything where there are no containers, with the reason."""
    reason = os.environ.get("REPOMILL_NO_CONTAINERS", "")
    if not reason and not image("REPOMILL"):
        reason = "run by scripts/containers run .venv/bin/pytest tests/smoke, which prepares engine and images"
    for item in items:
        if item.path.parent.name == "smoke" and reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def default_redis_broker_cls() -> type[PasswordRedis]:
    return PasswordRedis


@pytest.fixture
def celery_broker_cluster(celery_redis_broker: RedisTestBroker) -> Iterator[CeleryBrokerCluster]:
    """Redis alone."""
    cluster = CeleryBrokerCluster(celery_redis_broker)
    yield cluster
    cluster.teardown()


@pytest.fixture
def celery_backend_cluster() -> None:
    """None: the database is where results are."""


@pytest.fixture
def smoke_image() -> str:
    """The image that a test begins with."""
    return image("REPOMILL")


@pytest.fixture
def smoke_env(celery_broker_cluster_config: dict[str, Any], postgres: PostgresContainer) -> dict[str, str]:
    """What all containers of our image are told."""
    host = postgres.id[:12]
    return RepomillWorker.initial_env(
        {"celery_broker_cluster_config": celery_broker_cluster_config},
        {
            "DATABASE_URL": f"postgres://repomill:{PASSWORD}@{host}:5432/repomill",
            "REPOMILL_ALLOWED_HOSTS": "*",
            "REPOMILL_ALIVE_FILE": "/tmp/alive",
            "REPOMILL_DRAIN_SECONDS": "2",
            "REPOMILL_LEASE_SECONDS": "6",
            "REPOMILL_RECONCILE_SECONDS": "1",
        },
    )


@pytest.fixture
def smoke_env_with_web(smoke_env: dict[str, str], web: WebContainer) -> dict[str, str]:
    """The same, with the address of the API."""
    return smoke_env | {"BACKEND_URL": f"http://{web.id[:12]}:8000"}


data = volume()
default_redis_broker = container(
    image="{default_redis_broker_image}",
    ports=fxtr("default_redis_broker_ports"),
    environment=fxtr("default_redis_broker_env"),
    network=NETWORK,
    wrapper_class=PasswordRedis,
    timeout=PATIENCE,
    command=fxtr("default_redis_broker_command"),
)
postgres = container(
    image=image("POSTGRES"), environment=DATABASE, network=NETWORK, wrapper_class=PostgresContainer, timeout=PATIENCE
)


@pytest.fixture
def migrated(
    docker_client: Any,
    smoke_image: str,
    smoke_env: dict[str, str],
    default_pytest_celery_network: Any,
    data: Any,
) -> None:
    """Bring the database up to date and make the project `demo`, as the service `migrate` does."""
    docker_client.containers.run(
        smoke_image,
        ["sh", "-euc", "repomill migrate && repomill projects create demo"],
        environment=smoke_env,
        network=default_pytest_celery_network.name,
        volumes={data.name: {"bind": DATA, "mode": "rw"}},
        remove=True,
        **GUARDED,
    )


web = container(
    image="{smoke_image}",
    environment=fxtr("smoke_env"),
    network=NETWORK,
    volumes=MOUNTED,
    wrapper_class=WebContainer,
    timeout=PATIENCE,
    labels={"migrated": "{migrated}"},
    **GUARDED,
)
beat = container(
    image="{smoke_image}",
    environment=fxtr("smoke_env_with_web"),
    network=NETWORK,
    volumes=MOUNTED,
    wrapper_class=RepomillContainer,
    timeout=PATIENCE,
    command=beat_command(),
    **GUARDED,
)


def _worker(kind: str) -> Any:
    return container(
        image="{smoke_image}",
        environment=fxtr("smoke_env_with_web"),
        network=NETWORK,
        volumes=MOUNTED,
        wrapper_class=RepomillWorker,
        timeout=PATIENCE,
        command=worker_command(kind),
        **GUARDED,
    )


generation, generation_2 = _worker("generation"), _worker("generation")
export, export_2 = _worker("export"), _worker("export")
agents, agents_2 = _worker("agents"), _worker("agents")


@pytest.fixture
def celery_worker_cluster(request: pytest.FixtureRequest) -> Iterator[CeleryWorkerCluster]:
    """The workers that the test's mark names."""
    mark = request.node.get_closest_marker("workers")
    wanted = mark.args if mark else ("generation", "export", "agents")
    cluster = CeleryWorkerCluster(*(CeleryTestWorker(request.getfixturevalue(name), app=None) for name in wanted))
    yield cluster
    cluster.teardown()


@pytest.fixture
def smoke(celery_setup: Any, web: WebContainer, beat: RepomillContainer) -> Smoke:
    """The whole of it, used from outside."""
    return Smoke(setup=celery_setup, web=web, console=beat)
