"""A workspace looked at by what it held at a moment: whatever happened since comes to light, as if all were read."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.services import directory_io
from backend.apps.projects.services.directory_io import Entry
from backend.apps.projects.services.sealed_scan import scan_since
from backend.errors import NotFound
from tests.unit.projects.file_clock import wait_for_the_clock

FILES = ["a/b/c/deep.txt", "a/b/one.txt", "a/two.txt", "top.txt", "z/only.txt"]
DIRECTORIES = ["a", "a/b", "a/b/c", "empty", "empty/inner", "z"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "w"
    for path in DIRECTORIES:
        (root / path).mkdir(parents=True, exist_ok=True)
    for path in FILES:
        (root / path).write_text(path)
    return root


def all_of(root: Path) -> set[Entry]:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return set(directory_io.scan(descriptor))
    finally:
        os.close(descriptor)


def seen(root: Path, moment: int) -> set[Entry]:
    found = scan_since(moment, root, files=FILES, directories=DIRECTORIES)
    assert len(set(found)) == len(found)
    return set(found)


@contextmanager
def reading_counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    read: list[object] = []
    scandir = os.scandir
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", lambda directory: read.append(directory) or scandir(directory))  # type: ignore[func-returns-value]
        yield read


def test_what_was_quiet_is_not_read_and_found_all_the_same(root, monkeypatch):
    moment = wait_for_the_clock(root)
    expected = all_of(root)
    with reading_counted(monkeypatch) as read:
        assert seen(root, moment) == expected
        assert read == []
        (root / "a/b/new.txt").touch()
        assert {entry.path for entry in seen(root, moment)} == {*FILES, *DIRECTORIES, "a/b/new.txt"}
        # That one and what lies in it.
        assert len(read) == 2


def test_what_changed_in_the_moment_itself_is_read(root):
    (root / "a/b/new.txt").touch()
    moment = (root / "a/b").stat().st_ctime_ns
    assert "a/b/new.txt" in {entry.path for entry in seen(root, moment)}


CHANGES = {
    "new file": lambda root: (root / "z/new").touch(),
    "new file at the top": lambda root: (root / "new").touch(),
    "new file in an empty directory": lambda root: (root / "empty/inner/new").touch(),
    "new directories": lambda root: (root / "a/x/y").mkdir(parents=True),
    "file gone": lambda root: (root / "a/b/one.txt").unlink(),
    "directory gone": lambda root: shutil.rmtree(root / "a/b"),
    "written": lambda root: (root / "z/only.txt").write_text("other"),
    "mode": lambda root: (root / "z/only.txt").chmod(0o755),
    "moved": lambda root: (root / "a/b").rename(root / "z/b"),
    "exchanged": lambda root: (
        (root / "a/b").rename(root / "away"),
        (root / "z").rename(root / "a/b"),
        (root / "away").rename(root / "z"),
    ),
    "file for directory": lambda root: ((root / "empty/inner").rmdir(), (root / "empty/inner").touch()),
    "directory for file": lambda root: ((root / "top.txt").unlink(), (root / "top.txt").mkdir()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_has_changed_is_found(root, change):
    moment = wait_for_the_clock(root)
    change(root)
    assert seen(root, moment) == all_of(root)


@pytest.mark.parametrize("seed", range(30))
def test_many_changes_are_found(root, seed):
    chance = random.Random(seed)
    moment = wait_for_the_clock(root)
    for number in range(chance.randint(1, 8)):
        there = sorted(root.rglob("*"))
        path = chance.choice(there) if there else root
        match chance.choice(["write", "add", "remove", "move"]):
            case "write" if path.is_file():
                path.write_text(str(number))
            case "add":
                (path if path.is_dir() else path.parent).joinpath(f"new{number}").write_text("x")
            case "remove":
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            case "move":
                path.rename(root / f"moved{number}")
    assert seen(root, moment) == all_of(root)


@pytest.mark.parametrize("path", ["a", "a/b/c", "top.txt", "empty/inner"])
@pytest.mark.parametrize("kind", ["link", "pipe", "hard link"])
def test_what_is_no_file_or_directory_is_refused(root, tmp_path, path, kind):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "one.txt").touch()
    moment = wait_for_the_clock(root)
    (root / path).rename(tmp_path / "gone")
    if kind == "link":
        (root / path).symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(root / path)
    else:
        (root / path).hardlink_to(tmp_path / "elsewhere" / "one.txt")
    with pytest.raises(InvalidPath):
        seen(root, moment)


def test_a_second_name_elsewhere_is_refused(root, tmp_path):
    moment = wait_for_the_clock(root)
    (tmp_path / "second").hardlink_to(root / "z/only.txt")
    with pytest.raises(InvalidPath):
        seen(root, moment)


def test_what_goes_meanwhile_is_said_to_be_missing(root, monkeypatch):
    moment = wait_for_the_clock(root)
    stat = os.stat

    def gone_before_it(path: str, **how: object) -> os.stat_result:
        if path == "z/only.txt":
            shutil.rmtree(root / "z")
        return stat(path, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", gone_before_it)
    with pytest.raises(NotFound):
        seen(root, moment)
