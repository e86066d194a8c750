"""docker-compose.yml and Dockerfile say what the rest of the project says; an engine is not needed to see that."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import celeryconfig
from backend.cli.stack.processes import WORKER_QUEUES
from backend.config.environment import ROOT, read


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_the_services(compose: dict[str, Any]) -> None:
    roles = {f"worker-{name}" for name in WORKER_QUEUES} | {"web", "beat", "flower", "migrate"}
    assert set(compose["services"]) == roles | {"redis", "postgres"}
    for role in roles:
        service = compose["services"][role]
        assert service["image"] == "repomill"
        assert service["cap_drop"] == ["ALL"]
        waited_for = service["depends_on"]
        assert set(waited_for) <= set(compose["services"])


def test_the_workers_serve_every_queue(compose: dict[str, Any]) -> None:
    served = set()
    for name, queue in WORKER_QUEUES.items():
        service = compose["services"][f"worker-{name}"]
        (queues,) = [word.removeprefix("--queues=") for word in service["command"] if word.startswith("--queues=")]
        assert queues.split(",") == [*queue.split(","), "maintenance"]
        assert f"--hostname={name}@%h" in service["command"]
        assert service["environment"]["ROLE"] == name
        served |= set(queues.split(","))
    assert served == {queue.name for queue in celeryconfig.task_queues}


def test_secrets_are_files_and_nothing_else(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for secret in service.get("secrets", []):
            assert secret in compose["secrets"], name
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable or variable.endswith("_URL_FILE"):
                assert value.startswith("/run/secrets/"), (name, variable)
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"], name
    assert all(secret["file"].startswith("./secrets/") for secret in compose["secrets"].values())


def test_only_this_machine_reaches_the_ports(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_environment_is_one_that_repomill_accepts(compose: dict[str, Any], tmp_path: Path) -> None:
    for name, url in (("database_url", "postgres://a:b@postgres/c"), ("redis_url", "redis://:b@redis:6379/0")):
        (tmp_path / name).write_text(url)
    given = {
        name: value.replace("/run/secrets", str(tmp_path))
        for name, value in compose["services"]["web"]["environment"].items()
    }
    environment = read(given)
    assert environment.redis_url == "redis://:b@redis:6379/0"
    assert not environment.embedded_broker
    assert "web" in environment.allowed_hosts


def test_a_worker_is_killed_only_after_it_could_hand_its_work_back(compose: dict[str, Any]) -> None:
    for name in WORKER_QUEUES:
        service = compose["services"][f"worker-{name}"]
        grace = int(service["stop_grace_period"].removesuffix("s"))
        assert grace >= int(service["environment"]["REPOMILL_DRAIN_SECONDS"]) + 20


def test_the_image_has_a_base_that_can_be_chosen_and_an_ordinary_user() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "ARG BASE_IMAGE=python:3.11-slim-bookworm" in lines
    assert "FROM ${BASE_IMAGE}" in lines
    assert "USER repomill" in lines
    assert any("--require-hashes --requirement requirements.lock" in line for line in lines)
