"""Workspaces: what is written is exactly that, whatever umask, links, other writers and earlier runs there are."""

from __future__ import annotations

import fcntl
import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backend.apps.projects.errors import InvalidPath, QuotaExceeded, WorkspaceBusy
from backend.apps.projects.services.limits import Limits
from backend.apps.projects.services.workspace import Entry, NewFile, Workspace
from backend.errors import NotFound


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "all" / "one")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(workspace: Workspace, umask):
    before = os.umask(umask)
    try:
        workspace.write("a/b/run", b"#!/bin/sh\n", executable=True)
        workspace.write("a/b/text", b"x")
        workspace.write("a/b/text", b"xy")
    finally:
        os.umask(before)
    assert mode(workspace.root) == 0o700
    assert mode(workspace.root / "a") == mode(workspace.root / "a/b") == 0o755
    assert mode(workspace.root / "a/b/run") == 0o755
    assert mode(workspace.root / "a/b/text") == 0o644


def test_creating_twice_changes_nothing(workspace: Workspace):
    assert not workspace.exists()
    workspace.create()
    workspace.write("a", b"1")
    workspace.create()
    assert workspace.exists()
    assert (workspace.root / "a").read_bytes() == b"1"


def test_writing_gives_the_place_and_the_exact_bytes(workspace: Workspace):
    data = b"a\r\nb\x00\xff no final newline"
    assert workspace.write("docs/x", data) == workspace.root / "docs" / "x"
    assert (workspace.root / "docs" / "x").read_bytes() == data
    with workspace.open("docs/x") as file:
        assert file.read() == data


def test_a_tree_is_written_at_once_and_can_be_written_again(workspace: Workspace):
    files = [NewFile("b/z.txt", b"1"), NewFile("a-b", b""), NewFile("a/y", b"22", True), NewFile("b/c/d", b"333")]
    expected = [
        Entry("a", True, False, 0),
        Entry("a-b", False, False, 0),
        Entry("a/y", False, True, 2),
        Entry("b", True, False, 0),
        Entry("b/c", True, False, 0),
        Entry("b/c/d", False, False, 3),
        Entry("b/z.txt", False, False, 1),
        Entry("empty", True, False, 0),
    ]
    for _ in range(2):
        written = workspace.write_many(files, ["empty"])
        assert written == {file.path: workspace.root / file.path for file in files}
        assert [entry._replace(changed_ns=0) for entry in workspace.entries()] == expected


def test_nothing_but_the_workspace_is_left_behind(workspace: Workspace):
    workspace.write("a", b"1")
    workspace.write("a", b"2")
    assert sorted(os.listdir(workspace.root.parent)) == [".locks", "one"]
    assert os.listdir(workspace.root.parent / ".locks") == []


def test_entries_are_sorted_as_bytes(workspace: Workspace):
    names = ["z", "a/b", "a.b", "a-", "\u00e9", "\U0001f600", "\uffe0", "B"]
    workspace.write_many([NewFile(name, b"") for name in names])
    paths = [entry.path for entry in workspace.entries()]
    assert paths == sorted(paths, key=str.encode)


def test_a_replaced_file_is_never_seen_half(workspace: Workspace):
    workspace.write("a", b"old")
    with workspace.open("a") as reader:
        workspace.write("a", b"new content")
        assert reader.read() == b"old"
    assert (workspace.root / "a").read_bytes() == b"new content"


def test_a_file_left_by_a_crash_beside_the_locks_is_no_obstacle(workspace: Workspace):
    workspace.write("a", b"1")
    (workspace.root.parent / ".locks" / "one.part").write_bytes(b"half")
    workspace.write("a", b"2")
    assert (workspace.root / "a").read_bytes() == b"2"
    assert os.listdir(workspace.root.parent / ".locks") == []


def test_short_writes_are_continued(workspace: Workspace, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:3])))
    workspace.write("a", b"0123456789")
    assert (workspace.root / "a").read_bytes() == b"0123456789"


@pytest.mark.parametrize(
    "bad",
    [
        [NewFile("good", b""), NewFile("../evil", b"")],
        [NewFile("good", b""), NewFile("GOOD", b"")],
        [NewFile("good", b""), NewFile("good", b"")],
        [NewFile("good", b""), NewFile("good/x", b"")],
        [NewFile("good", b""), NewFile(".git/config", b"")],
    ],
)
def test_one_bad_name_and_nothing_is_written(workspace: Workspace, bad):
    with pytest.raises(InvalidPath):
        workspace.write_many(bad)
    assert list(workspace.entries()) == []


def test_names_are_compared_with_what_is_there(workspace: Workspace):
    workspace.write("src/README.md", b"1")
    with workspace.writing():
        for path in ("src/readme.md", "SRC/x", "src"):
            with pytest.raises(InvalidPath):
                workspace.write(path, b"2")
        with pytest.raises(InvalidPath):
            workspace.make_directory("src/README.md")
        workspace.write("src/other.md", b"3")
    assert [entry.path for entry in workspace.entries()] == ["src", "src/README.md", "src/other.md"]


@pytest.mark.parametrize(
    ("limits", "files", "limit"),
    [
        (Limits(file_bytes=3), [NewFile("a", b"1234")], "file_bytes"),
        (Limits(total_bytes=5), [NewFile("a", b"123"), NewFile("b", b"123")], "total_bytes"),
        (Limits(files=1), [NewFile("a", b""), NewFile("b", b"")], "files"),
        (Limits(directories=1), [NewFile("a/b/c", b"")], "directories"),
        (Limits(depth=1), [NewFile("a/b/c", b"")], "depth"),
    ],
)
def test_quotas_are_counted_before_writing(tmp_path: Path, limits, files, limit):
    workspace = Workspace(tmp_path / "w", limits=limits)
    with pytest.raises(QuotaExceeded) as refusal:
        workspace.write_many(files)
    assert refusal.value.place["limit"] == limit
    assert list(workspace.entries()) == []


def test_what_is_there_counts_and_what_is_replaced_does_not(tmp_path: Path):
    workspace = Workspace(tmp_path / "w", limits=Limits(total_bytes=10, files=2))
    workspace.write("a", b"12345")
    workspace.write("a", b"1234567890")
    with pytest.raises(QuotaExceeded):
        workspace.write("b", b"1")
    workspace.write("a", b"")
    workspace.write("b", b"1")
    with pytest.raises(QuotaExceeded):
        workspace.write("c", b"")


def test_an_error_inside_the_lock_does_not_spoil_the_count(tmp_path: Path):
    workspace = Workspace(tmp_path / "w", limits=Limits(total_bytes=10))
    with workspace.writing():
        workspace.write("a", b"12345")
        with pytest.raises(QuotaExceeded):
            workspace.write("b", b"123456")
        workspace.write("b", b"12345")


def test_reading_what_is_not_there(workspace: Workspace):
    with pytest.raises(NotFound):
        list(workspace.entries())
    workspace.write("a/b", b"")
    for path in ("x", "a/x", "x/y"):
        with pytest.raises(NotFound):
            workspace.open(path)
    for path in ("a", "a/b/c", "../a"):
        with pytest.raises(InvalidPath):
            workspace.open(path)


def test_a_name_that_nobody_here_would_write_is_refused(workspace: Workspace):
    workspace.create()
    (workspace.root / "a:b").touch()
    with pytest.raises(InvalidPath) as refusal:
        list(workspace.entries())
    assert refusal.value.place["path"] == "a:b"
    (workspace.root / "a:b").unlink()
    Path(os.fsdecode(bytes(workspace.root) + b"/\xff")).touch()
    with pytest.raises(InvalidPath) as refusal:
        list(workspace.entries())
    assert refusal.value.place["rule"] == "not-unicode"


def test_a_file_in_the_place_of_the_root(workspace: Workspace):
    workspace.root.parent.mkdir()
    workspace.root.touch()
    with pytest.raises(InvalidPath):
        workspace.create()
    assert not workspace.exists()
    workspace.remove()
    assert workspace.root.exists()


def test_an_error_of_the_disk_stays_what_it_is(workspace: Workspace, monkeypatch):
    workspace.write("a", b"1")

    def full(*arguments: object, **options: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(PermissionError):
        workspace.open("a")


def test_removing_is_idempotent(workspace: Workspace):
    workspace.remove()
    workspace.write("a/b", b"")
    workspace.remove()
    workspace.remove()
    assert not workspace.exists()
    assert os.listdir(workspace.root.parent) == [".locks"]


def test_a_sibling_with_a_longer_name_is_left_alone(tmp_path: Path):
    one, other = Workspace(tmp_path / "12"), Workspace(tmp_path / "123")
    one.write("a", b"")
    other.write("a", b"")
    one.remove()
    assert other.exists()


def test_one_writer_at_a_time(workspace: Workspace):
    other = Workspace(workspace.root)
    with workspace.writing(), workspace.writing():
        workspace.write("a", b"")
        for attempt in (lambda: other.write("b", b""), other.remove, lambda: other.make_directory("c")):
            with pytest.raises(WorkspaceBusy) as busy:
                attempt()
            assert (busy.value.retryable, busy.value.retry_after) == (True, 2)
        assert [entry.path for entry in other.entries()] == ["a"]
    other.write("b", b"")


def test_another_thread_is_another_writer(workspace: Workspace):
    errors: list[Exception] = []

    def write() -> None:
        try:
            workspace.write("b", b"")
        except WorkspaceBusy as busy:
            errors.append(busy)

    with workspace.writing():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        workspace.write("a", b"")
    assert len(errors) == 1
    assert [entry.path for entry in workspace.entries()] == ["a"]


def test_the_lock_of_a_killed_process_is_free(workspace: Workspace):
    workspace.create()
    program = (
        "import fcntl, os, sys; os.makedirs(sys.argv[1], exist_ok=True);"
        "lock = open(os.path.join(sys.argv[1], 'one'), 'w'); fcntl.flock(lock, fcntl.LOCK_EX);"
        "print('held', flush=True); sys.stdin.read()"
    )
    locks = str(workspace.root.parent / ".locks")
    with subprocess.Popen(
        [sys.executable, "-c", program, locks], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WorkspaceBusy):
            workspace.write("a", b"")
        holder.kill()
        holder.wait()
        workspace.write("a", b"")


def test_a_lock_that_lost_its_name_is_not_taken(workspace: Workspace, monkeypatch):
    """Between opening the lock's file and locking it, its last holder can have removed it."""
    workspace.create()
    real = fcntl.flock
    removed: list[Path] = []

    def flock(descriptor: int, operation: int) -> None:
        real(descriptor, operation)
        if not removed:
            removed.append(workspace.root.parent / ".locks" / "one")
            removed[0].unlink()

    monkeypatch.setattr("backend.apps.projects.services.workspace_lock.fcntl.flock", flock)
    other = Workspace(workspace.root)
    with workspace.writing(), pytest.raises(WorkspaceBusy):
        other.write("a", b"")
    assert removed


def test_descriptors_are_closed(workspace: Workspace):
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    workspace.write_many([NewFile(f"a/{n}/b/{n}", b"") for n in range(20)])
    before = descriptors()
    workspace.write_many([NewFile(f"a/{n}/b/{n}", b"x") for n in range(20)])
    list(workspace.entries())
    (workspace.root / "a/3/b/link").symlink_to("/etc")
    for attempt in (
        lambda: list(workspace.entries()),
        lambda: workspace.open("a/3/b/link"),
        lambda: workspace.open("a/3/b/link/x"),
        lambda: workspace.open("a/3/b"),
        lambda: workspace.write("a/3/b/y", b""),
    ):
        with pytest.raises(InvalidPath):
            attempt()
    assert descriptors() == before


def test_rearranging_removes_and_writes_and_follows_no_link(workspace: Workspace, tmp_path: Path):
    workspace.write_many([NewFile("d/x", b"1"), NewFile("d/e/y", b"2"), NewFile("z", b"3")])
    with workspace.writing():
        workspace.rearrange(
            files=[NewFile("d", b"file")],
            directories=["new/deep"],
            remove_files=["d/x", "d/e/y", "z"],
            remove_directories=["d", "d/e"],
        )
        assert [entry.path for entry in workspace.entries()] == ["d", "new", "new/deep"]
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "x").write_text("untouched")
        (workspace.root / "link").symlink_to(outside)
        for change in (
            {"remove_files": ["link/x"]},
            {"remove_directories": ["link/x"]},
            {"files": [NewFile("link/x", b"")]},
        ):
            with pytest.raises(InvalidPath):
                workspace.rearrange(**change)
    assert (outside / "x").read_text() == "untouched"


def test_what_is_gone_is_removed_already(workspace: Workspace):
    workspace.write("a", b"1")
    with workspace.writing():
        workspace.rearrange(remove_files=["b"], remove_directories=["c"])
        workspace.rearrange(remove_files=["a"])
        workspace.rearrange(remove_files=["a"])
    assert list(workspace.entries()) == []


def test_a_seal_is_of_one_place_and_moment(workspace: Workspace, tmp_path: Path):
    workspace.write("a", b"1")
    with workspace.writing():
        seal = workspace.seal()
    assert workspace.sealed_at(seal) > 0
    assert workspace.sealed_at("") == 0
    other = Workspace(tmp_path / "other")
    assert other.sealed_at(seal) == 0
    other.create()
    assert other.sealed_at(seal) == 0


@pytest.mark.parametrize("there", [False, True])
def test_a_file_that_cannot_be_written_to_its_end_is_not_left_half_written(workspace: Workspace, there):
    if there:
        workspace.write("big", b"before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            workspace.write("big", b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [(entry.path, entry.size) for entry in workspace.entries()] == ([("big", 6)] if there else [])
    assert list((workspace.root.parent / ".locks").iterdir()) == []
