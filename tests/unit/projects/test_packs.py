"""Packs of our own: git reads what we write, we read what we wrote, and nothing else is taken for ours."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.services import git_objects, pack_file, pack_reader, pack_writer
from backend.apps.projects.services.archives import ArchiveFile, write_archive
from backend.apps.projects.services.changes import changes_to
from backend.apps.projects.services.committed_zip import write_committed_zip
from backend.apps.projects.services.git_objects import CommittedTree
from backend.apps.projects.services.git_store import Commit, GitStore
from backend.apps.projects.services.pack_format import (
    BLOB,
    COMMIT,
    OWN,
    OWN_WITHOUT_SUMS,
    TREE,
    identifier,
    parsed_head,
    parsed_index,
)
from backend.apps.projects.services.pack_reader import packed
from backend.apps.projects.services.pack_writer import PackWriter, installing
from backend.apps.projects.services.paths import broken_rule
from backend.apps.projects.services.repacking import repack_if_needed
from backend.apps.projects.services.structure import Plan
from backend.apps.projects.services.workspace import NewFile, Workspace
from backend.errors import NotFound
from tests.commits import commit_all

WHEN = datetime(2026, 1, 2, tzinfo=UTC)
LARGE = os.urandom(700_000) * 3
FILES = {
    "README.md": b"# hi\n",
    "a/__init__.py": b"",
    "a/b/__init__.py": b"",
    "a.b/first": b"1",
    "a/run": b"#!/bin/sh\n",
    "copy.bin": LARGE,
    "large.bin": LARGE,
    "noise.bin": os.urandom(30_000),
    "text.txt": b"the same words " * 9000,
    "\u65e5\u672c/\u00fc.txt": b"2",
}


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    workspace.write_many([NewFile(path, data, executable=path.endswith("run")) for path, data in FILES.items()])
    return workspace


@pytest.fixture
def made(store, workspace):
    return commit_all(store, workspace, message="first", parent=None, when=WHEN)


def git(store: GitStore, *arguments: str) -> str:
    done = subprocess.run(["git", "--git-dir", str(store.path), *arguments], check=True, capture_output=True)
    return done.stdout.decode()


def packs(store: GitStore):
    return sorted((store.path / "objects" / "pack").glob("pack-*.pack"))


def objects(store: GitStore) -> int:
    return sum(len(parsed_index(pack.with_suffix(".idx").read_bytes())[0]) for pack in packs(store))


def contents(tree) -> dict[str, bytes]:
    return {path: data for path, data, _ in tree.contents([e.path for e in tree.entries() if not e.is_directory])}


def changed(store: GitStore, made: Commit, *files: NewFile, remove: Sequence[str] = ()) -> str:
    changes = changes_to(base=made.content, plan=Plan(files=files), keep=True, remove=remove)
    return store.commit(changes, base=made.commit, message="x", parent=made.commit, when=WHEN).commit


def test_what_was_written_is_read_back_without_git(store, made):
    with store.packed_tree(made.commit) as tree:
        assert contents(tree) == FILES
        with tree.open("copy.bin") as stream:
            assert stream.read(10) == LARGE[:10]
            assert stream.read() == LARGE[10:]
        assert {entry.path for entry in tree.entries() if entry.executable} == {"a/run"}


def test_git_agrees_with_every_object(store, made):
    # 8 blobs (of three files there are two), 5 trees, the commit, the pack's label and sums, and two in others' places.
    assert objects(store) == 8 + 5 + 1 + 2 + 2
    assert git(store, "fsck", "--strict", "--no-dangling") == ""
    listed = git(store, "ls-tree", "-r", "-z", "--name-only", made.commit).split("\0")[:-1]
    assert sorted(listed) == sorted(FILES)


def test_only_what_is_new_is_written(store, made):
    before = objects(store)
    commit = changed(store, made, NewFile("a/b/new.py", b"new"), NewFile("again.txt", FILES["text.txt"]))
    # A blob, the trees of a/b, a and the root, the commit, label and sums, and one in the place of what is there.
    assert objects(store) - before == 1 + 3 + 1 + 2 + 1
    assert len(packs(store)) == 2
    with store.packed_tree(commit) as tree:
        assert contents(tree) == {**FILES, "a/b/new.py": b"new", "again.txt": FILES["text.txt"]}
    assert git(store, "fsck", "--strict", "--no-dangling") == ""


def test_nothing_is_written_for_the_same_tree(store, workspace, made):
    assert commit_all(store, workspace, message="again", parent=made.commit, when=WHEN).commit == made.commit
    assert changed(store, made, NewFile("README.md", FILES["README.md"])) == made.commit
    assert len(packs(store)) == 1


def test_a_large_file_is_compressed_in_parts_and_kept_once():
    written: list[bytes] = []
    first = PackWriter(written.append, count=2, label=b"1")
    name = first.add(BLOB, LARGE)
    parts = len(written)
    assert parts > 4
    assert max(map(len, written)) < len(LARGE) / 4
    assert first.add(BLOB, LARGE) == name
    assert len(written) == parts
    second = PackWriter(written.append, count=1, label=b"2", known={name})
    parts = len(written)
    assert second.add(BLOB, LARGE) == name
    assert (len(written), len(second.identifiers)) == (parts, 1)


def test_small_objects_take_the_places_of_those_that_are_the_same(store, tmp_path):
    store.create()
    with installing(store.path, count=5, label=b"x", timeout=60) as installation:
        for data in (b"1", b"1", b"2", b"1"):
            installation.writer.add(BLOB, data)
        installation.finish()
    assert objects(store) == 4 + 1 + 2
    assert git(store, "fsck", "--strict", "--no-dangling", "--no-reflogs").strip() == ""


def test_of_a_pack_that_is_not_finished_nothing_is_in_the_store(store):
    store.create()
    with installing(store.path, count=2, label=b"x", timeout=60) as installation:
        installation.writer.add(BLOB, b"1")
    assert packs(store) == []


def test_the_same_commit_as_git_makes(store, workspace, made, tmp_path):
    index = {**os.environ, "GIT_INDEX_FILE": str(tmp_path / "index"), "GIT_DIR": str(tmp_path / "other.git")}
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Repomill"), ("EMAIL", "repomill@localhost"), ("DATE", f"@{WHEN.timestamp():.0f}"))
    }

    def run(*arguments: str, given: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=workspace.root, env={**index, **who, "TZ": "UTC"}, input=given,
            check=True, capture_output=True,
        )  # fmt: skip
        return done.stdout.decode().strip()

    run("init", "--quiet", "--bare")
    run("--work-tree=.", "add", "--all")
    tree = run("write-tree")
    assert (made.tree, made.commit) == (tree, run("commit-tree", tree, given=b"first\n"))


@pytest.mark.parametrize("format", ["zip", "tar", "tar.gz"])
def test_an_archive_is_the_same_whoever_has_packed_the_commit(store, workspace, made, tmp_path, format):
    commit = changed(store, made, NewFile("README.md", b"# new\n"), remove=["noise.bin"])

    def archive(name: str) -> str:
        with store.tree(commit) as tree:
            return write_archive(workspace=tree, target=tmp_path / name, format=format).digest

    with store.packed_tree(commit) as tree:
        own = write_archive(workspace=tree, target=tmp_path / "own", format=format).digest
    assert archive("ours") == own
    assert repack_if_needed(store, most_packs=1)
    with pytest.raises(NotFound), store.packed_tree(commit):
        pass
    assert archive("gits") == own


def zipped(store: GitStore, commit: str, target: Path, *, empty: tuple[str, ...] = ()) -> ArchiveFile:
    with packed(store.path) as source:
        tree = CommittedTree(source, commit=commit, empty_directories=empty)
        return write_committed_zip(source=source, tree=tree, target=target)


def test_a_zip_is_put_together_without_inflating_and_is_the_same(store, made, tmp_path):
    commit = changed(store, made, NewFile("README.md", b"# new\n"), NewFile("later", b"x" * 99), remove=["noise.bin"])
    whole = {FILES["text.txt"], LARGE, b"x" * 99}
    for name, of in (("first", made.commit), ("second", commit)):
        with store.packed_tree(of, empty_directories=("a/z", "none")) as tree:
            inflated = write_archive(workspace=tree, target=tmp_path / "inflated.zip", format="zip")
        assert zipped(store, of, tmp_path / name, empty=("a/z", "none")).digest == inflated.digest
    with zipfile.ZipFile(tmp_path / "second") as archive:
        assert archive.testzip() is None
        assert whole <= {archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("what", ["pack", "idx"])
@pytest.mark.parametrize("flipped", [0x01, 0x80])
def test_damage_never_gets_into_a_zip(store, made, tmp_path, what, flipped):
    target = tmp_path / "a.zip"
    right = zipped(store, made.commit, target).digest
    damaged = packs(store)[0].with_suffix(f".{what}")
    damaged.chmod(0o600)
    whole = damaged.read_bytes()
    for at in [*range(1, 64), *range(64, len(whole), len(whole) // 150), *range(len(whole) - 64, len(whole))]:
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ flipped]) + whole[at + 1 :])
        with pytest.raises((NotFound, InvalidPath)):
            zipped(store, made.commit, target)
    damaged.write_bytes(whole)
    assert zipped(store, made.commit, target).digest == right
    assert [path.name for path in tmp_path.glob("*a.zip*")] == ["a.zip"]


def test_an_older_pack_without_sums_is_inflated(store, workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(pack_writer, "OWN", OWN_WITHOUT_SUMS)
    made = commit_all(store, workspace, message="first", parent=None, when=WHEN)
    with pytest.raises(NotFound):
        zipped(store, made.commit, tmp_path / "a.zip")
    with store.packed_tree(made.commit) as tree:
        assert contents(tree) == FILES


def test_packs_are_not_read_whole_for_little_of_them(store, made, tmp_path, monkeypatch):
    monkeypatch.setattr(pack_reader, "READ_ANYWAY", 0)
    commit = changed(store, made, NewFile("small", b"1" * 1000), remove=[path for path in FILES if path != "README.md"])
    with pytest.raises(NotFound):
        zipped(store, commit, tmp_path / "a.zip")
    assert zipped(store, made.commit, tmp_path / "a.zip").size > len(LARGE)


def test_packs_that_are_not_ours_are_left_to_git(store, made, monkeypatch):
    monkeypatch.setattr(pack_file, "OWN", OWN.replace(b"level", b"other"))
    with pytest.raises(NotFound), store.packed_tree(made.commit):
        pass
    assert store.file(made.commit, "README.md") == b"# hi\n"


def test_of_too_many_packs_none_are_opened(store, made, monkeypatch):
    monkeypatch.setattr(pack_reader, "MOST_PACKS", 0)
    with pytest.raises(NotFound), store.packed_tree(made.commit):
        pass
    assert store.file(made.commit, "README.md") == b"# hi\n"


def test_a_pack_that_goes_meanwhile_is_passed_over(store, made):
    for pack in packs(store):
        pack.chmod(0o600)
        pack.unlink()
    with pytest.raises(NotFound), store.packed_tree(made.commit):
        pass


@pytest.mark.parametrize("flipped", [0x55, 0x80])
def test_damage_never_gives_other_content(store, made, flipped):
    (pack,) = packs(store)
    pack.chmod(0o600)
    whole = pack.read_bytes()
    found = 0
    for at in [*range(400), *range(400, len(whole), len(whole) // 150), *range(len(whole) - 300, len(whole))]:
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ flipped]) + whole[at + 1 :])
        try:
            with store.packed_tree(made.commit) as tree:
                read = contents(tree)
        except (NotFound, InvalidPath):
            found += 1
        else:
            # A checksum at the pack's end that nobody needs, or the number of objects in its head.
            assert read == FILES
    assert found > 500


def test_a_size_that_is_damaged_takes_no_memory_and_no_time():
    with pytest.raises(NotFound):
        pack_file.inflated(isal_zlib.compress(b"x"), 1 << 60)
    kind, size, at = parsed_head(b"\xff" * 300_000, 0)
    assert (kind, size < 1 << 70, at < 20) == (7, True, True)


@pytest.mark.parametrize("left", [0, 5, 40, 3000, 30_000])
def test_a_pack_that_ends_too_early_is_damaged(store, made, left):
    (pack,) = packs(store)
    pack.chmod(0o600)
    os.truncate(pack, left)
    with pytest.raises(NotFound), store.packed_tree(made.commit) as tree:
        contents(tree)


@pytest.mark.parametrize("left", [0, 5, 1030, 1200])
def test_an_index_that_is_none_is_passed_over(store, made, left):
    index = packs(store)[0].with_suffix(".idx")
    index.chmod(0o600)
    os.truncate(index, left)
    with pytest.raises(NotFound), store.packed_tree(made.commit):
        pass


def test_git_and_we_list_the_same(store, made):
    commit = changed(store, made, NewFile("a/b/new.py", b"new"))
    with packed(store.path) as source, store.reading() as objects:
        assert source.files_of(commit) == objects.files_of(commit)


def test_an_index_that_leads_to_another_object_is_found_out(store, made):
    index = packs(store)[0].with_suffix(".idx")
    index.chmod(0o600)
    data = bytearray(index.read_bytes())
    names, begins = parsed_index(bytes(data))
    trees = sorted(line.split()[2] for line in git(store, "ls-tree", "-rtd", made.commit).splitlines())
    first, second = (names.index(bytes.fromhex(tree)) for tree in trees[:2])
    at = len(data) - 40 - 4 * len(names)
    for place, other in ((first, second), (second, first)):
        data[at + 4 * place : at + 4 * place + 4] = begins[other].to_bytes(4, "big")
    index.write_bytes(data)
    with pytest.raises(NotFound), store.packed_tree(made.commit):
        pass


def test_what_is_no_commit_is_not_found(store, made):
    for wrong in (made.tree, "0" * 40, "main", ""):
        with pytest.raises(NotFound), store.packed_tree(wrong):
            pass
    with packed(store.path) as source, pytest.raises(NotFound):
        source.open(bytes.fromhex(made.commit))


def planted(store: GitStore, tree: bytes) -> str:
    """Install a commit whose tree holds what no workspace would."""
    store.create()
    with installing(store.path, count=3, label=tree, timeout=60) as installation:
        pack = installation.writer
        pack.add(BLOB, b"x")
        root = pack.add(TREE, tree)
        commit = pack.add(
            COMMIT, b"tree %b\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nx\n" % root.hex().encode()
        )
        installation.finish()
    return commit.hex()


@pytest.mark.parametrize("name", [".git", ".GIT", "git~1", "GIT~1", ".g\u200cit", ".git ", ".git::$INDEX", "..", "."])
def test_names_that_lead_elsewhere_are_refused(store, name):
    blob = identifier(BLOB, b"x")
    commit = planted(store, b"100644 %b\0%b" % (name.encode(), blob))
    with pytest.raises(InvalidPath), store.packed_tree(commit):
        pass


@given(st.text(alphabet=".gGiItT~1 :\u200c\u0131aZ-_/$", max_size=8))
def test_every_dangerous_name_is_worth_a_look(path):
    for name in path.split("/"):
        if broken_rule(name) in {"dotgit", "dot", "dotdot"}:
            assert git_objects._worth_a_look.search(path)
