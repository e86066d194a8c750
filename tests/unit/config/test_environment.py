"""The environment: defaults, files, and a clear word about every senseless value."""

from pathlib import Path

import pytest

from backend.config.database_url import database_of
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
    ("name", "url"), [("DATABASE_URL", "postgres://u:secret@db/x"), ("REDIS_URL", "redis://:secret@broker:6379/0")]
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
    ("name", "address"),
    [
        *(("BACKEND_URL", f"http://{rest}") for rest in ("u:hunter2@h", ":hunter2@h", "@h", "h:99999", "h:x", "h:0")),
        *(
            ("BACKEND_URL", f"http://{rest}")
            for rest in ("[::1", "[hunter2]", "h h", "h#hunter2", "h?", "h\x1b[2J", "")
        ),
        ("REPOMILL_WEB_URL", "http://u:hunter2@h"),
        ("REPOMILL_FLOWER_URL", "http://u:hunter2@h/"),
        ("REPOMILL_TRACES_TO", "ftp://u:hunter2@h/"),
        ("REPOMILL_TRACES_TO", "http://"),
        ("REPOMILL_TRACES_TO", "http://u:hunter2@h:99999/"),
        ("REPOMILL_TRACES_TO", "http://u:hunter2@[h/"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_without_being_shown(name: str, address: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be") as raised:
        read({name: address})
    assert "hunter2" not in f"{raised.value} {raised.value.hint} {raised.value.place} {raised.value.__cause__}"


@pytest.mark.parametrize("address", ["http://h", "https://h.example:8443", "http://[::1]:80", "http://my_web:8000"])
def test_an_origin(address: str) -> None:
    assert read({"BACKEND_URL": f"{address}/"}).backend_url == address


@pytest.mark.parametrize(
    "url",
    [
        *(
            "mysql://u:hunter2@h/x",
            "hunter2",
            "/srv/hunter2.sqlite3",
            "postgres://u:hunter2@h",
            "postgres://[hunter2/x",
        ),
        *("postgres://u:hunter2@h:99999/x", "postgres://u:hunter2@h:0/x", "postgres://u:hun/ter2@h/x"),
        "redshift://u:hunter2@h/x",
    ],
)
def test_only_sqlite_and_postgresql_are_accepted(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL must be of the form postgres://") as raised:
        read({"DATABASE_URL": url})
    assert "hunter2" not in f"{raised.value} {raised.value.hint} {raised.value.place}"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:////srv/a%20b.sqlite3", "/srv/a b.sqlite3"),
        ("sqlite://:memory:", ":memory:"),
        ("postgres:///repomill?host=/run/postgresql", "repomill"),
        ("postgresql://u:p%2Fw@h:5432/repomill", "repomill"),
        ("postgres://?service=repomill", ""),
    ],
)
def test_the_database_as_django_is_told_of_it(url: str, name: str) -> None:
    assert database_of(read({"DATABASE_URL": url}).database_url, lease_seconds=30)["NAME"] == name


def test_hosts_may_have_blanks_beside_their_commas() -> None:
    environment = read(
        {"REPOMILL_ALLOWED_HOSTS": " a.example , B.example,", "REPOMILL_GIT_INTERNAL_HOSTS": "Git, 10.0.0.1"}
    )
    assert environment.allowed_hosts == ("a.example", "b.example")
    assert environment.git_internal_hosts == ("git", "10.0.0.1")
    assert read({"REPOMILL_ALLOWED_HOSTS": ""}).allowed_hosts == ("127.0.0.1", "localhost", "[::1]")


def test_a_long_folder_is_no_trouble_for_a_broker_elsewhere() -> None:
    environment = read({"REPOMILL_DATA_DIR": "/" + "x" * 100, "REDIS_URL": "redis://broker/0"})
    assert not environment.embedded_broker


def test_reading_other_variables_leaves_the_process_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKEND_URL", "https://own.example")
    assert read({"BACKEND_URL": "https://other.example/"}).backend_url == "https://other.example"
    assert read({}).backend_url == "http://127.0.0.1:8000"
