"""What is checked before anything starts."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.cli.errors import PortTaken
from backend.cli.stack.preflight import choose_port, prepare_data_folder, require_git
from backend.errors import ConfigurationError


def test_the_data_folder_is_made_private(tmp_path: Path) -> None:
    prepare_data_folder(tmp_path / "a" / "data")
    assert stat.S_IMODE((tmp_path / "a" / "data").stat().st_mode) == 0o700
    prepare_data_folder(tmp_path / "a" / "data")
    assert list((tmp_path / "a" / "data").iterdir()) == []


def test_a_file_in_place_of_the_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigurationError, match=r"data cannot be written: ") as caught:
        prepare_data_folder(tmp_path / "data")
    assert "REPOMILL_DATA_DIR" in (caught.value.hint or "")


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Root may write everywhere, so a test that root runs becomes nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_cannot_be_written(ordinary_user: None) -> None:
    with pytest.raises(ConfigurationError, match="Permission denied"):
        prepare_data_folder(Path("/"))


def test_a_missing_git_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_git()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError, match="git was not found"):
        require_git()


def test_a_free_port_is_given_back_and_zero_finds_one() -> None:
    found = choose_port(0, option="--port")
    assert found > 1023
    assert choose_port(found, option="--port") == found


def test_a_taken_port_names_port_and_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} is in use") as caught:
            choose_port(port, option="--flower-port")
    assert "--flower-port" in (caught.value.hint or "")


def test_a_port_that_only_root_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ConfigurationError, match="may not listen on port 80"):
        choose_port(80, option="--port")
