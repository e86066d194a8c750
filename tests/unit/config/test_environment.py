"""The environment: defaults, files, and a clear word about every senseless value."""

from pathlib import Path

import pytest

from backend.config.environment import embedded_redis_url, read
from backend.errors import ConfigurationError


def test_defaults_lie_in_the_data_folder() -> None:
    environment = read({"REPOMILL_DATA_DIR": "/srv/repomill"})
    assert environment.database_url == "sqlite:////srv/repomill/repomill.sqlite3"
    assert environment.redis_url == "redis+socket:///srv/repomill/redis.sock?virtual_host=0"
    assert environment.embedded_broker
    assert environment.generated_projects_dir == Path("/srv/repomill/generated-projects")
    assert environment.backend_url == "http://127.0.0.1:8000"
    assert environment.secrets_dir == Path("/srv/repomill/secrets")


def test_a_relative_data_folder_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read({"REPOMILL_DATA_DIR": "data"}).data_dir == tmp_path / "data"


def test_special_characters_of_the_folder_are_escaped_in_urls() -> None:
    environment = read({"REPOMILL_DATA_DIR": "/srv/a b#%?"})
    assert environment.database_url == "sqlite:////srv/a%20b%23%25%3F/repomill.sqlite3"
    assert embedded_redis_url(environment.data_dir) == "redis+socket:///srv/a%20b%23%25%3F/redis.sock?virtual_host=0"


@pytest.mark.parametrize(
    ("name", "url"),
    [("DATABASE_URL", "postgres://mill:secret@db/mill"), ("REDIS_URL", "redis://:secret@broker:6379/0")],
)
def test_a_url_with_a_password_can_lie_in_a_file(tmp_path: Path, name: str, url: str) -> None:
    file = tmp_path / "url"
    file.write_text(f"{url}\n")
    environment = read({"REPOMILL_DATA_DIR": "/srv", f"{name}_FILE": str(file)})
    assert getattr(environment, name.lower()) == url


def test_a_variable_and_its_file_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Both REDIS_URL and REDIS_URL_FILE are set") as caught:
        read({"REDIS_URL": "redis://:secret@a", "REDIS_URL_FILE": str(tmp_path / "url")})
    assert "secret" not in str(caught.value.as_json())


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"\xff\xfe", "not text")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        read({"DATABASE_URL_FILE": str(file)})
    assert "DATABASE_URL_FILE" in caught.value.message


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"BACKEND_URL": "127.0.0.1:8000"}, "BACKEND_URL"),
        ({"BACKEND_URL": "http://user@host"}, "BACKEND_URL"),
        ({"BACKEND_URL": "http://host/path"}, "BACKEND_URL"),
        ({"BACKEND_URL": "http://host?x=1"}, "BACKEND_URL"),
        ({"BACKEND_URL": "ftp://host"}, "BACKEND_URL"),
        ({"REPOMILL_LEASE_SECONDS": "0"}, "REPOMILL_LEASE_SECONDS"),
        ({"REPOMILL_LEASE_SECONDS": "soon"}, "REPOMILL_LEASE_SECONDS"),
        ({"REPOMILL_RECONCILE_SECONDS": "-1"}, "REPOMILL_RECONCILE_SECONDS"),
        ({"REPOMILL_TASK_SOFT_LIMIT": "0"}, "REPOMILL_TASK_SOFT_LIMIT"),
        ({"REPOMILL_TASK_SOFT_LIMIT": "10", "REPOMILL_TASK_HARD_LIMIT": "10"}, "REPOMILL_TASK_HARD_LIMIT"),
        ({"REPOMILL_WORKER_CONCURRENCY": "0"}, "REPOMILL_WORKER_CONCURRENCY"),
        ({"REPOMILL_DEBUG": "perhaps"}, "REPOMILL_DEBUG"),
        ({"REPOMILL_DATA_DIR": "/" + "x" * 100}, "REPOMILL_DATA_DIR"),
    ],
)
def test_a_senseless_value_is_named(variables: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(variables)
    assert named in f"{caught.value.message} {caught.value.place}"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://repomill:hush@db/repomill",
        "foo://repomill:hush@db/repomill",
        "repomill:hush@db/repomill",
        "postgres://repomill:hu/sh@db/repomill",
        "postgres://repomill:hush@db:port/repomill",
        "postgres://repomill:hush@[db/repomill",
        "postgres://repomill:hush@db",
        "sqlite://var/hush.sqlite3",
    ],
)
def test_a_database_that_repomill_does_not_work_on_is_refused_without_showing_the_url(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL") as caught:
        read({"DATABASE_URL": url})
    assert "hu" not in str(caught.value.as_json()).replace("%2F", "")
    assert caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "postgres://repomill:password@db.example.org:5432/repomill",
        "postgresql:///repomill",
        "postgres://%2Frun%2Fpostgresql/repomill?sslmode=require",
        "postgres:///?service=repomill",
        "pgsql://db/repomill",
        "sqlite:////srv/repomill.sqlite3",
        "sqlite:///relative.sqlite3",
        "sqlite://:memory:",
    ],
)
def test_the_databases_that_repomill_works_on(url: str) -> None:
    assert read({"DATABASE_URL": url}).database_url == url


def test_a_long_folder_is_no_trouble_for_a_broker_elsewhere() -> None:
    environment = read({"REPOMILL_DATA_DIR": "/" + "x" * 100, "REDIS_URL": "redis://broker/0"})
    assert not environment.embedded_broker


def test_reading_other_variables_leaves_the_process_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKEND_URL", "https://own.example")
    assert read({"BACKEND_URL": "https://other.example/"}).backend_url == "https://other.example"
    assert read({}).backend_url == "http://127.0.0.1:8000"
