"""Secrets in files: made once, private, and agreed upon by processes that start together."""

import errno
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.config.secret_files import read_or_create, write_private
from backend.errors import ConfigurationError


def test_a_secret_is_made_once_and_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = read_or_create(folder, "key")
    assert len(first) >= 48
    assert read_or_create(folder, "key") == first
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [file.name for file in folder.iterdir()] == ["key"]


def test_the_data_folder_above_is_made_private_and_one_that_is_there_is_left_alone(tmp_path: Path) -> None:
    read_or_create(tmp_path / "data" / "secrets", "key")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    (tmp_path / "older").mkdir()
    (tmp_path / "older").chmod(0o755)
    read_or_create(tmp_path / "older" / "secrets", "key")
    assert stat.S_IMODE((tmp_path / "older").stat().st_mode) == 0o755


def test_those_who_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: read_or_create(tmp_path / "secrets", "key"), range(32)))
    assert len(secrets) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    read_or_create(tmp_path, "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(ConfigurationError, match="can be read by others") as caught:
        read_or_create(tmp_path, "key")
    assert caught.value.hint == f"Run: chmod 600 {tmp_path / 'key'}"


def test_a_folder_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written or read"):
        read_or_create(tmp_path / "file" / "secrets", "key")


def test_write_private_replaces_and_keeps_others_out(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write_private(path, "one")
    path.chmod(0o644)
    write_private(path, "two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "write", [lambda path: read_or_create(path.parent, path.name), lambda path: write_private(path, "x")]
)
def test_a_secret_is_on_the_disk_before_it_has_its_name_and_its_name_before_anybody_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object]
) -> None:
    path, safe = tmp_path / "key", []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        safe.append(("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file", path.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write(path)
    assert safe == [("file", False), ("folder", True)]


def test_a_full_disk_leaves_nothing_of_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_private(tmp_path / "key", "x")
    assert list(tmp_path.iterdir()) == []
