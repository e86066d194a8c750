"""Redis with a password and TLS, and by way of sentinels: whoever talks to it, and a server that dies in mid-run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches

from backend.apps.exports.pacing import Account, Use
from backend.apps.exports.services.pacing_store import Pacer, RedisUnavailable
from backend.config.redis_server import read_redis_url
from tests.integration.installation import ROOT, Installation
from tests.integration.postgresql import PostgreSQL
from tests.integration.redis_servers import PASSWORD, SENTINEL_PASSWORD, Certificates, Replicated, Server
from tests.integration.trees import clone, commits

pytestmark = pytest.mark.integration
EXAMPLE = str(ROOT / "examples" / "publish-service" / "workflow.yaml")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("rd"), tls=certificates)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def replicated(tmp_path: Path, certificates: Certificates) -> Iterator[Replicated]:
    with Replicated(tmp_path, tls=certificates) as made:
        yield made


def installed(tmp_path: Path, url: str, **variables: str) -> Installation:
    file = tmp_path / "redis-url"
    file.write_text(url)
    return Installation(tmp_path / "d", REDIS_URL_FILE=str(file), **variables)


def checks(installation: Installation) -> dict[str, tuple[str, str]]:
    code = "from backend.cli.commands.doctor import all_checks\nanswer = [check.as_json() for check in all_checks()]"
    return {check["name"]: (check["state"], check["detail"]) for check in installation.django(code)}


def nothing_shown(installation: Installation) -> None:
    for log in (installation.data_dir / "log").glob("*.log"):
        text = log.read_text("utf-8", "replace")
        assert PASSWORD not in text
        assert SENTINEL_PASSWORD not in text
    told = installation.cli("doctor")
    assert PASSWORD not in told
    assert SENTINEL_PASSWORD not in told


def test_the_whole_stack_on_a_redis_with_password_and_tls(tmp_path: Path, secure: Server):
    installation = installed(tmp_path, secure.url)
    installation.start()
    try:
        installation.cli("projects", "create", "demo")
        shown = installation.json("run", EXAMPLE, "--project", "demo", "--input", "name=encrypted", "--follow")
        assert shown["status"] == "completed"
        result = shown["steps"][2]["result"]
        assert commits(clone(result["clone_url"], tmp_path / "clone")) == [result["commit"]]
        found = checks(installation)
        assert {found[name][0] for name in ("broker", "broker access", "queue generation", "Flower")} == {"ok"}
        # Celery's messages, the mark of the reconciler and the counted requests are all on this one.
        keys = {key.decode() for key in secure.client.keys("*")}
        assert "repomill:mark" in keys
        assert any(key.startswith("repomill:1:throttle:") or ":throttle:" in key for key in keys), keys
        nothing_shown(installation)
    finally:
        installation.stop()


@pytest.mark.parametrize("wrong", ["password", "authority", "name"])
def test_who_is_not_the_right_one_is_not_talked_to(secure: Server, tmp_path: Path, wrong: str):
    other = Certificates(tmp_path)
    url = {
        "password": secure.url.replace("%3A%20of", "%3A%20off"),
        "authority": secure.url.partition("?")[0] + f"?ssl_ca_certs={other.authority}",
        "name": secure.url.replace("@127.0.0.1:", "@localhost:"),
    }[wrong]
    installation = installed(tmp_path, url)
    state, detail = checks(installation)["broker"]
    assert state == "unavailable"
    assert PASSWORD not in detail


# Not in the test command: after one failover of several a run had not ended after 90 s, and nobody has seen yet why.
@pytest.mark.chaos
def test_a_server_that_dies_in_mid_run_is_replaced_and_nothing_is_lost(
    tmp_path: Path, replicated: Replicated, postgresql: PostgreSQL
):
    installation = installed(tmp_path, replicated.url, DATABASE_URL=postgresql.create_migrated_database())
    installation.start()

    def begin(name: str, *options: str) -> dict[str, Any]:
        started: dict[str, Any] = installation.json(
            "run", EXAMPLE, "--project", name, "--input", f"name={name}", *options
        )
        return started

    try:
        # Each has a project of its own, so that the one commit is the whole history.
        for name in ("before", "during-0", "during-1", "meanwhile"):
            installation.cli("projects", "create", name)
        assert begin("before", "--follow")["status"] == "completed"
        many = [begin(name)["id"] for name in ("during-0", "during-1")]
        replicated.master.kill()
        many.append(begin("meanwhile")["id"])
        installation.wait_until(replicated.promoted, patience=30, what="another master")
        for execution in many:
            shown = installation.wait_until(lambda: ended(installation, execution), patience=90, what="its end")  # noqa: B023
            assert shown["status"] == "completed", shown
            result = shown["steps"][2]["result"]
            assert commits(clone(result["clone_url"], tmp_path / execution)) == [result["commit"]]
        assert checks(installation)["broker"][0] == "ok"
        nothing_shown(installation)
    finally:
        installation.stop()


def ended(installation: Installation, execution: str) -> dict[str, Any] | None:
    shown = installation.show(execution)
    return shown if shown["status"] in {"completed", "failed"} else None


def test_the_pace_and_the_counts_go_on_with_another_master(replicated: Replicated, settings: Any):
    settings.CACHES = {
        "default": {
            "BACKEND": "backend.config.redis_cache.Cache",
            "LOCATION": replicated.url,
            "KEY_PREFIX": "repomill",
            "OPTIONS": {"serializer": "django.core.signing.JSONSerializer", "socket_timeout": 2},
        }
    }
    client = read_redis_url(replicated.url).client(socket_timeout=5, socket_connect_timeout=5)
    pacer = Pacer(Account(kind="github", key="a"), connection=client)
    place = pacer.book("one", Use.of_new_repository("github"))
    cache = caches["default"]
    cache.add("n", 0, timeout=60)
    assert cache.incr("n") == 1
    assert client.wait(1, 5000) == 1
    replicated.master.kill()
    Installation.wait_until(replicated.promoted, patience=30, what="another master")

    def booked() -> float | None:
        # The sentinels tell of the new master a moment after it is one.
        with suppress(RedisUnavailable):
            return pacer.book("one", Use.of_new_repository("github"))
        return None

    # What was kept is there; a place that was given stays.
    assert Installation.wait_until(booked, patience=30, what="an answer of the new master") == place
    assert cache.incr("n") == 2
