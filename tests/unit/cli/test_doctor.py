"""The checks of `repomill doctor`, each with what it must find."""

import json
import os
import socket
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from types import SimpleNamespace
from typing import Any

import pytest

from backend.cli.checks import broker, configuration, database, keys, machine, remedies, services
from backend.cli.checks.at_start import check_at_start
from backend.cli.checks.base import NOT_RUNNING, Check, State, ok, problem, shown_url, unavailable, warning
from backend.cli.commands.doctor import exit_code, show
from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.lock import stack_lock
from backend.config.environment import Environment, read
from backend.errors import ConfigurationError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://user:secret@host:5432/db?sslpassword=secret", "postgres://***@host:5432/db"),
        ("redis://:sec@ret/x@host/0", "redis://***@host/0"),
        ("redis://:sec?ret@host/0", "redis://***@host/0"),
        ("sqlite:////var/db.sqlite3", "sqlite:////var/db.sqlite3"),
        ("redis+socket:///var/redis.sock?virtual_host=0", "redis+socket:///var/redis.sock"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ([ok("a", ""), warning("b", "")], 0),
        ([ok("a", ""), unavailable("b", "")], 6),
        ([problem("a", ""), unavailable("b", "")], 7),
    ],
)
def test_exit_code(checks: list[Check], code: int) -> None:
    assert exit_code(checks) == code


@pytest.mark.parametrize(("version", "state"), [((3, 10, 9), "problem"), ((3, 11, 0), "ok"), ((3, 14, 1), "ok")])
def test_python(version: tuple[int, ...], state: str) -> None:
    assert machine.check_python(version).state == state


@pytest.mark.parametrize(
    ("output", "debian", "state"),
    [
        ("git version 2.50.1", None, "ok"),
        ("git version 2.51.0.windows.1", None, "ok"),
        ("git version 2.39.5", None, "warning"),
        ("git version 2.39.5", "1:2.39.5-0+deb12u3", "ok"),
        ("git version 2.39.5", "1:2.39.5-0+deb12u12", "ok"),
        ("git version 2.39.5", "1:2.39.5-0+deb12u2", "warning"),
        ("git version 2.47.3", "1:2.47.3-0+deb13u1", "warning"),
        ("git version 2.50.0", None, "warning"),
        ("git version 2.30.2", None, "problem"),
        ("command not found", None, "problem"),
    ],
)
def test_git(output: str, debian: str | None, state: str) -> None:
    assert machine.judge_git(output, debian=debian).state == state


def test_git_of_this_machine_and_of_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.check_git().state in {"ok", "warning"}
    monkeypatch.setenv("PATH", "")
    assert machine.check_git().detail == "not found on PATH"


def test_data_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert machine.check_data_folder(tmp_path).state is State.OK
    tmp_path.chmod(0o750)
    assert "chmod 700" in machine.check_data_folder(tmp_path).remedy
    assert machine.check_data_folder(tmp_path / "none").state is State.WARNING
    (tmp_path / "file").write_text("")
    assert machine.check_data_folder(tmp_path / "file").state is State.PROBLEM


def test_a_data_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert "Read-only file system" in machine.check_data_folder(tmp_path).detail


def test_secret_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "secrets"
    assert machine.check_secret_files(folder).state is State.OK
    folder.mkdir(mode=0o700)
    secret = folder / "key"
    secret.write_text("x")
    secret.chmod(0o600)
    assert machine.check_secret_files(folder).state is State.OK
    monkeypatch.setattr(os, "getuid", lambda: secret.stat().st_uid + 1)
    assert machine.check_secret_files(folder).state is State.WARNING
    secret.chmod(0o640)
    assert machine.check_secret_files(folder).remedy == f"Run: chmod 600 {secret}"
    folder.chmod(0o755)
    assert machine.check_secret_files(folder).remedy == f"Run: chmod 700 {folder}"


@pytest.mark.parametrize(
    ("key", "weak"),
    [
        ("", True),
        ("django-insecure-short", True),
        ("x" * 64, True),
        ("0123456789" * 7, True),
        (token_urlsafe(48), False),
    ],
)
def test_a_key_that_could_be_guessed(key: str, weak: bool) -> None:
    assert keys.is_weak(key) is weak


def test_keys_and_passwords(environment: Environment) -> None:
    assert keys.check_keys(environment).state is State.OK
    short = replace(environment, database_url="postgres://repomill:hunter2@db/repomill")
    found = keys.check_keys(short)
    assert found.state is State.WARNING
    assert "hunter2" not in str(found)
    environment.secrets_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = environment.secrets_dir / "jwt_signing_key"
    file.write_text("changeme")
    file.chmod(0o600)
    found = keys.check_keys(environment)
    assert found.state is State.PROBLEM
    assert "changeme" not in str(found)
    with pytest.raises(ConfigurationError, match="jwt_signing_key"):
        check_at_start(environment)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"redis_url": "redis://redis:6379/0"}, "broker access"),
        ({"redis_url": "redis://:long-enough-password@redis:6379/0", "debug": True}, "REPOMILL_DEBUG"),
    ],
)
def test_what_keeps_an_installation_from_starting(environment: Environment, changes: dict[str, Any], told: str) -> None:
    check_at_start(environment)
    with pytest.raises(ConfigurationError, match=told):
        check_at_start(replace(environment, **changes))


def test_settings_name_their_source_and_hide_passwords(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://:hidden@broker/0")
    variables = {"DATABASE_URL": "postgres://u:hidden@db/x", "REDIS_URL_FILE": str(file), "REPOMILL_DATA_DIR": "/srv/d"}
    environment = read(variables)
    table = {row["name"]: row for row in configuration.settings_table(environment, variables)}
    assert table["DATABASE_URL"] == {"name": "DATABASE_URL", "value": "postgres://***@db/x", "source": "environment"}
    assert table["REDIS_URL"]["source"] == "file"
    assert table["BACKEND_URL"]["source"] == "default"
    assert table["REPOMILL_ALLOWED_HOSTS"]["value"] == "127.0.0.1, localhost, [::1]"
    assert "hidden" not in json.dumps(list(table.values()))
    assert "DATABASE_URL" in configuration.check_settings(environment, variables).detail
    assert configuration.check_settings(environment, {}).detail == "all defaults"
    assert configuration.check_settings(replace(environment, debug=True), variables).state is State.PROBLEM


def test_a_misspelt_setting_is_named(environment: Environment) -> None:
    found = configuration.check_settings(environment, {"REPOMILL_LEASE": "3", "REPOMILL_RATE_USERS": "1/second"})
    assert found.state is State.WARNING
    assert "REPOMILL_LEASE, REPOMILL_RATE_USERS" in found.detail
    assert found.remedy == "Did you mean REPOMILL_LEASE_SECONDS, REPOMILL_RATE_USER?"
    assert "settings.md" in configuration.check_settings(environment, {"REPOMILL_XYZ": ""}).remedy
    others = {"REPOMILL_STORAGE_URL_FILE": "/run/url", "REPOMILL_IMAGE": "mill", "PATH": "/bin"}
    assert configuration.check_settings(environment, others).state is State.OK


def test_the_report_has_room_for_paths_and_commands_at_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = "/srv/repomill/data-of-this-machine"
    show([warning("data folder", f"{path} can be entered by others", f"Run: chmod 700 {path}"), ok("git", "2.39")], [])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    told = " " * 22 + f"Run: chmod 700 {path}"
    assert told in lines
    assert lines[-1] == "2 checks, 0 with a problem."


def test_every_setting_is_shown(environment: Environment) -> None:
    assert set(configuration.SETTINGS.values()) == {field.name for field in fields(environment)}


@pytest.mark.parametrize(
    ("timeout", "backend", "state"), [(20, None, "ok"), (10, None, "problem"), (20, "redis://", "problem")]
)
def test_delivery(timeout: int, backend: str | None, state: str) -> None:
    asked = SimpleNamespace(
        broker_transport_options={"visibility_timeout": timeout}, task_time_limit=10, result_backend=backend
    )
    assert configuration.check_delivery(asked).state == state


def test_extras(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    local = "django.core.files.storage.FileSystemStorage"
    assert configuration.check_extras(environment, storage_backend=local).detail == "none needed"
    postgres = replace(environment, database_url="postgres://db/x")
    assert "psycopg" in configuration.check_extras(postgres, storage_backend=local).detail
    monkeypatch.setattr(configuration, "find_spec", lambda _: None)
    missing = configuration.check_extras(postgres, storage_backend="storages.backends.s3.S3Storage")
    assert missing.state is State.PROBLEM
    assert missing.detail == "not installed: psycopg, storages, boto3"


@pytest.mark.django_db
def test_database(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import InterfaceError, OperationalError, connection

    monkeypatch.setattr(connection, "close", lambda: None)
    assert database.check_database() == ok("database", f"{connection.vendor}, up to date")
    monkeypatch.setattr(database, "pending_migrations", lambda: ["projects.0002_more", "x.y"])
    assert "2 migrations are missing, first projects.0002_more" in database.check_database().detail

    for broken in (OperationalError, InterfaceError):

        def refuse(error: type[Exception] = broken) -> list[str]:
            raise error("connection refused\nmore")

        monkeypatch.setattr(database, "pending_migrations", refuse)
        assert database.check_database().detail == "does not answer: connection refused"
    monkeypatch.setattr(database, "_sqlite_exists", lambda: False)
    if connection.vendor == "sqlite":
        assert database.check_database() == unavailable("database", "not made yet", NOT_RUNNING)


@pytest.mark.parametrize(("version", "state"), [("6.0.9", "problem"), ("6.2.0", "ok"), ("7.2.4", "ok"), ("10.0", "ok")])
def test_broker_version(version: str, state: str) -> None:
    assert broker.judge_version(version).state == state


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"maxmemory-policy": "noeviction", "appendonly": "yes"}, "ok"),
        ({"maxmemory-policy": "noeviction", "appendonly": "no"}, "warning"),
        ({"maxmemory-policy": "allkeys-lru", "appendonly": "yes"}, "problem"),
        ({"closed": True}, "warning"),
    ],
)
def test_broker_durability(facts: dict[str, Any], state: str) -> None:
    assert broker.judge_durability(facts).state == state


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("redis+socket:///var/redis.sock?virtual_host=0", "ok"),
        ("rediss://:x@broker.example/0", "ok"),
        ("redis://:x@127.0.0.1/0", "ok"),
        ("redis://:x@broker.example/0", "warning"),
        ("redis://127.0.0.1/0", "warning"),
        ("redis://broker.example/0", "problem"),
        ("sentinel://one:1,two,[::1]:3/0?master=m", "problem"),
        ("sentinel://:p@one:1,two,[::1]:3/0?master=m", "warning"),
    ],
)
def test_broker_access(url: str, state: str) -> None:
    assert broker.judge_access(url).state == state


def test_a_broker_that_does_not_run(environment: Environment) -> None:
    silent, access = broker.check_broker(environment)
    assert (silent.state, silent.remedy) == (State.UNAVAILABLE, NOT_RUNNING)
    assert access.state is State.OK
    elsewhere = broker.check_broker(replace(environment, redis_url="redis://:hidden@127.0.0.1:9/0"))[0]
    assert elsewhere.state is State.UNAVAILABLE
    assert "REDIS_URL" in elsewhere.remedy
    assert "hidden" not in elsewhere.detail


@pytest.mark.integration
def test_the_embedded_broker_passes(tmp_path_factory: pytest.TempPathFactory, environment: Environment) -> None:
    folder = tmp_path_factory.mktemp("b")
    with EmbeddedBroker(folder) as running:
        found = broker.check_broker(replace(environment, data_dir=folder, redis_url=running.url))
    assert [check.state for check in found] == [State.OK] * 3


@pytest.mark.parametrize(
    ("serving", "state"),
    [({"w@h": {"export", "maintenance"}}, "ok"), ({"w@h": {"agents"}}, "unavailable"), ({}, "unavailable")],
)
def test_queue(serving: dict[str, set[str]], state: str) -> None:
    judged = services.judge_queue("export", serving, remedy="Start one.")
    assert (judged.state, judged.remedy) == (state, "" if state == "ok" else "Start one.")


@pytest.mark.parametrize(
    ("queue", "log"), [("bulk", "worker-export.log"), ("agents", "worker-agents.log"), ("maintenance", "worker-")]
)
def test_what_to_do_about_a_queue_without_a_worker(environment: Environment, queue: str, log: str) -> None:
    assert remedies.remedy_of_queue(environment, queue) == NOT_RUNNING
    apart = replace(environment, redis_url="redis://:long-enough-password@redis:6379/0")
    # As docs/guides/scale.md has it.
    alone = f"python -m backend.config.celery_program worker -Q {queue}"
    assert remedies.remedy_of_queue(apart, queue) == f"Start one: {alone}"
    with stack_lock(environment.data_dir):
        # A second `repomill up` would be refused.
        told = remedies.remedy_of_queue(environment, queue)
        assert str(environment.data_dir / "log" / log) in told
        assert NOT_RUNNING not in told


def test_a_broker_that_is_silent_is_asked_once(environment: Environment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        silent = replace(environment, redis_url=f"redis://:hidden@127.0.0.1:{port}/0")
        assert broker.check_broker(silent)[0].state is State.UNAVAILABLE
        server.setblocking(False)
        with server.accept()[0], pytest.raises(BlockingIOError):
            server.accept()


def test_a_broker_of_a_stack_that_hangs(environment: Environment) -> None:
    with stack_lock(environment.data_dir):
        assert "broker.log" in broker.check_broker(environment)[0].remedy


@pytest.mark.parametrize(
    ("age", "interval", "state"),
    [(None, 5, "unavailable"), (3, 5, "ok"), (29, 1, "ok"), (31, 1, "unavailable"), (100, 60, "ok")],
)
def test_beat(age: int | None, interval: float, state: str) -> None:
    last = None if age is None else NOW - timedelta(seconds=age)
    assert services.judge_beat(last, now=NOW, interval=interval, remedy="").state == state


def test_flower_of_processes_that_were_started_one_by_one(environment: Environment) -> None:
    apart = replace(environment, redis_url="redis://:long-enough-password@redis:6379/0")
    assert services.check_flower(apart, answering=lambda _: False).state is State.OK


def test_web_and_flower_of_a_stack_that_runs(environment: Environment) -> None:
    asked: list[str] = []

    def answering(url: str) -> bool:
        asked.append(url)
        return "1234" in url

    assert services.check_web(environment, answering=answering).remedy == NOT_RUNNING
    assert services.check_flower(environment, answering=answering).remedy == NOT_RUNNING
    lock = stack_lock(environment.data_dir)
    lock.acquire(pid=1, web_url="http://127.0.0.1:1234", flower_url="http://127.0.0.1:1234/flower/")
    try:
        assert services.check_web(environment, answering=answering).state is State.OK
        assert services.check_flower(environment, answering=answering).state is State.OK
        assert asked[-1] == "http://127.0.0.1:1234/flower/healthcheck"
        assert "log" in services.check_web(environment, answering=lambda _: False).remedy
        assert services.check_flower(environment, answering=lambda _: False).state is State.UNAVAILABLE
        lock.publish(pid=1, web_url="http://127.0.0.1:1234", flower_url="")
        assert services.check_flower(environment, answering=answering).state is State.WARNING
    finally:
        lock.release()
    here = replace(environment, backend_url="http://127.0.0.1:1234")
    assert services.check_web(here, answering=answering).detail == "answers at http://127.0.0.1:1234"
