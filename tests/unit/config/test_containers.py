"""docker-compose.yml and Dockerfile say what the rest of the project says; an engine is not needed to see that."""

import re
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
    assert set(compose["services"]) == roles | {"redis", "postgres", "proxy", "secrets"}
    for role in roles:
        assert compose["services"][role]["image"] == compose["services"]["secrets"]["image"]
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"], name
        assert set(service.get("depends_on", ())) <= set(compose["services"]), name


def test_what_goes_on_has_limits_and_is_looked_after(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name in {"secrets", "migrate"}:
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["mem_limit"], name
        # Beat has nothing that could be asked; `repomill doctor` and the alerts see when it is silent.
        assert name == "beat" or service["healthcheck"]["test"], name


def test_the_workers_serve_every_queue(compose: dict[str, Any]) -> None:
    served = set()
    for name, queue in WORKER_QUEUES.items():
        service = compose["services"][f"worker-{name}"]
        (queues,) = [word.removeprefix("--queues=") for word in service["command"] if word.startswith("--queues=")]
        assert queues.split(",") == [*queue.split(","), "maintenance"]
        assert f"--hostname={name}@%h" in service["command"]
        served |= set(queues.split(","))
    assert served == {queue.name for queue in celeryconfig.task_queues}


def test_secrets_are_files_and_nothing_else(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable or variable.endswith("_URL_FILE"):
                assert value.startswith("/run/secrets/"), (name, variable)
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            assert source in compose["volumes"] or source.startswith("./deploy/"), name
            if target == "/run/secrets":
                assert mode == ["ro"], name
    seen = {
        volume.split(":")[0]: name
        for name, service in compose["services"].items()
        if name not in {"secrets", "web", "migrate", "beat", "flower"} and not name.startswith("worker-")
        for volume in service.get("volumes", [])
        if volume.startswith("secrets-")
    }
    assert seen == {"secrets-redis": "redis", "secrets-postgres": "postgres"}, "each sees its own alone"


def test_only_this_machine_reaches_the_ports(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert ports == ["${REPOMILL_ADDRESS:-127.0.0.1:8000}:8080"]


def test_the_environment_is_one_that_repomill_accepts(compose: dict[str, Any], tmp_path: Path) -> None:
    for name, url in (("database_url", "postgres://a:b@postgres/c"), ("redis_url", "redis://:b@redis:6379/0")):
        (tmp_path / name).write_text(url)
    given = {
        name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value).replace("/run/secrets", str(tmp_path))
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
    assert {line for line in lines if line.startswith("FROM ${")} == {
        "FROM ${BASE_IMAGE} AS build",
        "FROM ${BASE_IMAGE} AS system",
    }
    assert "USER repomill" in lines
    assert any("--require-hashes --requirement requirements.lock" in line for line in lines)


def test_a_proxy_in_front_can_be_counted(compose: dict[str, Any]) -> None:
    # Each adds an address to X-Forwarded-For. With a number too small every client has the address of the one in front.
    assert compose["services"]["web"]["environment"]["REPOMILL_PROXIES"] == "${REPOMILL_PROXIES:-1}"
    assert "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" in (
        ROOT / "deploy" / "nginx" / "repomill.conf"
    ).read_text("utf-8")
