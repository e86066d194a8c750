"""Archives: regular files only, the same bytes for the same content, whole or not there."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from datetime import UTC, datetime

import pytest

from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.services import archives, zip_writer
from backend.apps.projects.services.archives import write_archive
from backend.apps.projects.services.content import digest_of
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.workspace import Entry, NewFile, Workspace
from backend.errors import Conflict, InvalidInput
from tests.commits import commit_all

FORMATS = ["zip", "tar", "tar.gz"]
LONG = "/".join(["a" * 60] * 4) + "/" + "\u00e9" * 40 + ".txt"
FILES = {
    "README.md": b"# hi\n",
    "empty.txt": b"",
    "bin/run": b"#!/bin/sh\n",
    "zeros.bin": bytes(2_500_000),
    "noise.bin": os.urandom(100_000),
    "\u65e5\u672c/\u00fc.txt": b"utf-8 name",
    LONG: b"long name",
    "b" * 150 + ".txt": b"long ascii name",
    "back\u00b7dot.txt": b"1",
}


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    workspace.write_many(
        [NewFile(path, data, executable=path.startswith("bin/")) for path, data in FILES.items()], ["empty/inside"]
    )
    return workspace


CONTENT = digest_of(
    [(path, path.startswith("bin/"), hashlib.sha256(data).hexdigest()) for path, data in FILES.items()],
    empty=["empty/inside"],
)


def members(path):
    """Return name to (kind, mode, content) of everything in an archive."""
    if path.name.endswith("zip"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            return {
                info.filename.rstrip("/"): (
                    "directory" if info.is_dir() else "file",
                    stat.S_IMODE(info.external_attr >> 16),
                    archive.read(info),
                )
                for info in archive.infolist()
            }
    with tarfile.open(path) as archive:
        return {
            member.name: (
                "directory" if member.isdir() else "file" if member.isreg() else "other",
                member.mode,
                file.read() if (file := archive.extractfile(member)) else b"",
            )
            for member in archive.getmembers()
        }


@pytest.mark.parametrize("format", FORMATS)
def test_everything_is_in_it_byte_for_byte_and_nothing_else(workspace, tmp_path, format):
    made = write_archive(workspace=workspace, target=tmp_path / f"a.{format}", format=format)
    directories = {entry.path for entry in workspace.entries() if entry.is_directory}
    expected = {path: ("file", 0o755 if path == "bin/run" else 0o644, data) for path, data in FILES.items()}
    expected |= dict.fromkeys(directories, ("directory", 0o755, b""))
    found = members(made.path)
    assert found == expected
    assert list(found) == sorted(found, key=str.encode)
    assert "empty/inside" in directories
    assert made.size == made.path.stat().st_size
    assert made.digest == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [".locks"]


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_content_gives_the_same_bytes(workspace, tmp_path, format, monkeypatch):
    first = write_archive(workspace=workspace, target=tmp_path / "1", format=format)
    other = Workspace(tmp_path / "other" / "workspace")
    for path, data in reversed(FILES.items()):
        other.write(path, data, executable=path.startswith("bin/"))
    other.make_directory("empty/inside")
    os.utime(other.root / "README.md", (1, 1))
    os.chmod(other.root / "bin" / "run", 0o4755)
    os.chmod(other.root / "README.md", 0o600)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setattr(archives, "GZIP_THREADS", 1)
    second = write_archive(workspace=other, target=tmp_path / "2", format=format)
    assert first.digest == second.digest


@pytest.mark.parametrize("format", FORMATS)
def test_a_commit_gives_the_same_archive_as_the_workspace_it_came_from(workspace, tmp_path, format):
    store = GitStore(tmp_path / "store.git")
    made = commit_all(store, workspace, message="x", parent=None, when=datetime(2026, 1, 1, tzinfo=UTC))
    first = write_archive(workspace=workspace, target=tmp_path / "1", format=format)
    with store.tree(made.commit, empty_directories=made.content.empty_directories) as tree:
        second = write_archive(workspace=tree, target=tmp_path / "2", format=format, content_digest=made.content_digest)
    assert first.digest == second.digest


@pytest.mark.parametrize("format", FORMATS)
def test_a_top_directory_holds_it_all(workspace, tmp_path, format):
    made = write_archive(workspace=workspace, target=tmp_path / f"a.{format}", format=format, top="demo")
    found = members(made.path)
    assert found["demo"] == ("directory", 0o755, b"")
    assert found["demo/README.md"][2] == b"# hi\n"
    assert all(name == "demo" or name.startswith("demo/") for name in found)


# Not every machine has unzip; Python's own reader is another program than the writer here, too.
UNZIP = ["unzip", "-tqq"] if shutil.which("unzip") else [sys.executable, "-m", "zipfile", "-t"]


@pytest.mark.parametrize(
    ("format", "command"),
    [("zip", UNZIP), ("tar", ["tar", "tf"]), ("tar.gz", ["tar", "tzf"]), ("tar.gz", ["gzip", "-t"])],
)
def test_other_programs_read_it(workspace, tmp_path, format, command):
    made = write_archive(workspace=workspace, target=tmp_path / f"a.{format}", format=format)
    done = subprocess.run([*command, str(made.path)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_zip_names_and_times(workspace, tmp_path):
    made = write_archive(workspace=workspace, target=tmp_path / "a.zip", format="zip")
    with zipfile.ZipFile(made.path) as archive:
        for info in archive.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert bool(info.flag_bits & 0x800) == (not info.filename.isascii())
            assert info.create_system == 3
            kind = stat.S_IFDIR if info.is_dir() else stat.S_IFREG
            assert stat.S_IFMT(info.external_attr >> 16) == kind


@pytest.mark.parametrize("format", ["tar", "tar.gz"])
def test_tar_owners_and_times(workspace, tmp_path, format):
    made = write_archive(workspace=workspace, target=tmp_path / "a", format=format)
    with tarfile.open(made.path) as archive:
        assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in archive} == {(0, 0, "", "", 315_532_800)}


@pytest.mark.parametrize("format", ["", "rar", "gztar", "tar.bz2", "ZIP", "../x"])
def test_an_unknown_format_names_the_known_ones(workspace, tmp_path, format):
    with pytest.raises(InvalidInput) as refused:
        write_archive(workspace=workspace, target=tmp_path / "out" / "a", format=format)
    assert refused.value.place["expected"] == FORMATS
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("plant", ["link", "fifo", "hard link"])
def test_what_is_no_regular_file_is_refused_and_nothing_is_left(workspace, tmp_path, format, plant):
    secret = tmp_path / "secret"
    secret.write_text("canary")
    planted = workspace.root / "planted"
    {"link": planted.symlink_to, "hard link": planted.hardlink_to, "fifo": lambda _: os.mkfifo(planted)}[plant](secret)
    target = tmp_path / "out" / "a"
    with pytest.raises(InvalidPath):
        write_archive(workspace=workspace, target=target, format=format)
    assert list(target.parent.iterdir()) == []


class Tree:
    """A tree of one file that is listed with another size than it has."""

    def __init__(self, listed: int, found: bytes) -> None:
        self.listed, self.found = listed, found

    def entries(self):
        yield Entry("a.txt", False, False, self.listed)

    def reading(self):
        return self

    def __enter__(self):
        return lambda _: io.BytesIO(self.found)

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("listed", "found"), [(5, b"1234"), (3, b"1234"), (0, b"1"), (1, b"")])
def test_a_file_that_changes_meanwhile_leaves_no_archive(tmp_path, format, listed, found):
    target = tmp_path / "out" / "a"
    with pytest.raises(Conflict, match="changed"):
        write_archive(workspace=Tree(listed, found), target=target, format=format)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("format", FORMATS)
def test_other_content_than_was_asked_for_is_not_published(workspace, tmp_path, format):
    target = tmp_path / "a"
    made = write_archive(workspace=workspace, target=target, format=format)
    before = target.read_bytes()
    (workspace.root / "README.md").unlink()
    with pytest.raises(Conflict):
        write_archive(workspace=workspace, target=target, format=format, content_digest=CONTENT)
    assert target.read_bytes() == before
    workspace.write("README.md", FILES["README.md"])
    again = write_archive(workspace=workspace, target=target, format=format, content_digest=CONTENT)
    assert again.digest == made.digest


@pytest.mark.parametrize("format", FORMATS)
def test_memory_does_not_grow_with_the_project(tmp_path, format):
    def peak(megabytes: int) -> int:
        workspace = Workspace(tmp_path / f"w{megabytes}")
        for number in range(megabytes):
            workspace.write(f"{number}.bin", os.urandom(1024) * 1024)
        workspace.write("big.bin", bytes(megabytes * 1024 * 1024))
        tracemalloc.start()
        write_archive(workspace=workspace, target=tmp_path / f"{megabytes}", format=format)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    small, large = peak(4), peak(24)
    assert large < small + 4 * 1024 * 1024


@pytest.mark.parametrize("at_once", [0, 1024 * 1024])
def test_large_archives_get_the_64_bit_fields(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(zip_writer, "AT_ONCE", at_once)
    monkeypatch.setattr(zip_writer, "GROWTH", 2**32)
    monkeypatch.setattr(zip_writer, "LIMIT_16", 2)
    workspace = Workspace(tmp_path / "w")
    contents = {f"{n}.bin": os.urandom(2000) * 2 for n in range(3)}
    workspace.write_many([NewFile(*item) for item in contents.items()])
    made = write_archive(workspace=workspace, target=tmp_path / "a.zip", format="zip")
    # The field of 16 bits cannot say how many there are now.
    raw = bytearray(made.path.read_bytes())
    raw[-14:-10] = b"\xff" * 4
    made.path.write_bytes(raw)
    assert {name: content for name, (_, _, content) in members(made.path).items()} == contents
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-tqq", made.path], check=True, capture_output=True)


def test_an_offset_beyond_four_gigabytes(tmp_path):
    path = tmp_path / "a.zip"
    with path.open("wb") as output:
        writer = zip_writer.ZipWriter(output)
        writer.add_file("a", iter([b"1"]), size=1, executable=False)
        # As if five gigabytes lay between the two; the file has a hole there.
        output.seek(5 * 2**30)
        writer._written = 5 * 2**30
        writer.add_file("b", iter([b"2"]), size=1, executable=False)
        writer.finish()
    with zipfile.ZipFile(path) as archive:
        assert (archive.read("a"), archive.read("b")) == (b"1", b"2")
        assert archive.getinfo("b").header_offset == 5 * 2**30


def test_what_cannot_be_compressed_is_stored_and_sizes_come_first(workspace, tmp_path):
    made = write_archive(workspace=workspace, target=tmp_path / "a.zip", format="zip")
    with zipfile.ZipFile(made.path) as archive:
        described = {info.filename for info in archive.infolist() if info.flag_bits & 8}
        stored = {info.filename for info in archive.infolist() if info.compress_type == zipfile.ZIP_STORED}
    assert described == {"zeros.bin"}
    assert {"noise.bin", "empty.txt", "empty/inside/"} <= stored
    assert "zeros.bin" not in stored
