"""Commits: complete, deterministic, and the same from many processes at once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from backend.apps.projects.errors import GitFailed
from backend.apps.projects.services import commit_sharing, commit_writing, git_store, pack_format, pack_writer
from backend.apps.projects.services.changes import Changes
from backend.apps.projects.services.content import Content, ContentFile, content_file, preview
from backend.apps.projects.services.git_objects import Objects
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.workspace import NewFile, Workspace
from backend.errors import Conflict, InvalidInput, NotFound, TemporaryFailure
from tests.commits import commit_all

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FILES = {
    "README.md": b"# hi\n",
    ".gitignore": b"*.log\n",
    "ignored.log": b"in the commit all the same",
    ".gitattributes": b"*.txt text eol=crlf filter=lfs\n",
    "crlf.txt": b"a\r\nb\n",
    "deep/er/file with space": b"",
    'quo"te\\slash': b"1",
    "\u00fcml\u00e4ut/\u65e5\u672c.txt": "\u65e5".encode(),
    "bin/run": b"#!/bin/sh\n",
    "zeros.bin": bytes(300_000),
}


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    files = [NewFile(path, data, executable=path.startswith("bin/")) for path, data in FILES.items()]
    workspace.write_many([file for file in files if '"' not in file.path], ["empty/inside", "deep"])
    return workspace


def git(store: GitStore, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "--git-dir", str(store.path), "-c", "core.quotePath=false", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def commit(store, workspace, *, parent=None, when=WHEN, message="Generate demo"):
    return commit_all(store, workspace, message=message, parent=parent, when=when)


def test_every_file_is_committed_byte_for_byte(store, workspace):
    made = commit(store, workspace)
    expected = {path: data for path, data in FILES.items() if '"' not in path}
    listed = git(store, "ls-tree", "-r", "-z", "--format=%(objectmode) %(path)", made.commit).split("\0")[:-1]
    assert sorted(line.split(" ", 1)[1] for line in listed) == sorted(expected)
    assert {line for line in listed if line.startswith("100755")} == {"100755 bin/run"}
    assert {path: store.file(made.commit, path) for path in expected} == expected
    assert [file.path for file in made.files] == sorted(expected, key=str.encode)
    assert {file.path: file.digest for file in made.files} == {
        path: hashlib.sha256(data).hexdigest() for path, data in expected.items()
    }
    assert made.size == sum(map(len, expected.values()))
    assert made.tree == git(store, "rev-parse", f"{made.commit}^{{tree}}").strip()
    assert git(store, "fsck", "--strict", "--no-dangling").strip() == ""


def test_the_commit_says_who_when_and_what(store, workspace):
    made = commit(store, workspace)
    assert git(store, "show", "-s", "--format=%an <%ae> %at %cn <%ce> %ct %B", made.commit).strip() == (
        f"Repomill <repomill@localhost> {int(WHEN.timestamp())} Repomill <repomill@localhost> {int(WHEN.timestamp())}"
        " Generate demo"
    )


def test_names_that_a_workspace_refuses_are_still_written_as_they_are(store):
    odd = 'a"b\\c\nd'
    content = Content((content_file(odd, b"1", executable=False),), ())
    changes = Changes(files=(NewFile(odd, b"1"),), removed=(), content=content)
    made = store.commit(changes, base=None, message="odd", parent=None, when=WHEN)
    assert store.file(made.commit, odd) == b"1"


def test_same_content_parent_and_time_give_the_same_commit_in_any_store(store, workspace, tmp_path):
    first = commit(store, workspace)
    assert commit(store, workspace).commit == first.commit
    assert commit(GitStore(tmp_path / "other.git"), workspace).commit == first.commit
    later = commit(store, workspace, when=WHEN + timedelta(seconds=1))
    assert later.commit != first.commit
    assert later.tree == first.tree


def test_a_commit_without_change_is_its_parent(store, workspace):
    first = commit(store, workspace)
    again = commit(store, workspace, parent=first.commit, when=WHEN + timedelta(days=1))
    assert again.commit == first.commit
    assert again.content_digest == first.content_digest
    workspace.write("README.md", b"# ho\n")
    second = commit(store, workspace, parent=first.commit)
    assert [entry.commit for entry in store.log(second.commit)] == [second.commit, first.commit]
    assert store.log(second.commit)[0].parent == first.commit
    assert store.log(second.commit, limit=1)[0].message == "Generate demo"
    assert store.log(first.commit)[0].when == WHEN
    assert store.is_ancestor(first.commit, of=second.commit)
    assert store.is_ancestor(second.commit, of=second.commit)
    assert not store.is_ancestor(second.commit, of=first.commit)


def test_what_is_gone_from_the_workspace_is_gone_from_the_next_commit(store, workspace):
    first = commit(store, workspace)
    (workspace.root / "README.md").unlink()
    second = commit(store, workspace, parent=first.commit)
    with pytest.raises(NotFound):
        store.file(second.commit, "README.md")
    assert store.file(first.commit, "README.md") == b"# hi\n"


def test_the_store_keeps_one_name_for_each_commit_and_nothing_temporary(store, workspace):
    made = {commit(store, workspace).commit for _ in range(3)}
    assert git(store, "for-each-ref", "--format=%(refname)").split() == [f"refs/generations/{made.pop()}"]
    git(store, "gc", "--prune=now", "--quiet")
    assert commit(store, workspace).commit in git(store, "for-each-ref")


def test_many_commits_at_once(store, tmp_path):
    def one(number: int) -> tuple[str, bytes]:
        workspace = Workspace(tmp_path / f"w{number}")
        workspace.write("n.txt", str(number // 2).encode())
        workspace.write("same.txt", b"shared")
        return commit(store, workspace).commit, str(number // 2).encode()

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(one, range(24)))
    assert len({identifier for identifier, _ in made}) == 12
    for identifier, content in made:
        assert store.file(identifier, "n.txt") == content
    assert git(store, "fsck", "--strict", "--no-dangling").strip() == ""


def test_an_import_that_was_killed_does_not_stand_in_the_way_of_the_next(store, workspace):
    made = commit(store, workspace)
    for pack in (store.path / "objects" / "pack").glob("pack-*.pack"):
        pack.with_suffix(".keep").write_text("fast-import")
    git(store, "update-ref", "-d", f"refs/generations/{made.commit}")
    assert commit(store, workspace).commit == made.commit


def test_a_store_is_made_once_also_by_many_at_once(tmp_path, settings):
    settings.GIT_STORES_DIR = tmp_path / "stores"
    project = uuid4()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: GitStore.for_project(str(project)).create(), range(16)))
    assert made.count(True) == 1
    assert [path.name for path in (tmp_path / "stores").iterdir()] == [f"{project}.git"]
    assert not (tmp_path / "stores" / f"{project}.git" / "hooks").exists()


@pytest.mark.parametrize("project", ["", "../x", "1", "0b5ae8b4-2a3c-4d3e-9f10-1c2d3e4f5a6b/../x"])
def test_a_store_is_named_by_a_uuid_only(project):
    with pytest.raises(InvalidInput):
        GitStore.for_project(project)


@pytest.mark.parametrize("planted", [None, "empty"])
def test_nothing_to_commit_is_an_error(store, tmp_path, planted):
    workspace = Workspace(tmp_path / "w")
    workspace.create()
    if planted:
        workspace.make_directory(planted)
    with pytest.raises(InvalidInput, match="no file left"):
        commit(store, workspace)


@pytest.mark.parametrize("parent", ["0" * 40, "HEAD", "-x", "main"])
def test_an_unknown_parent_is_a_conflict(store, workspace, parent):
    with pytest.raises(Conflict):
        commit(store, workspace, parent=parent)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("-F/etc/passwd", "-F/etc/passwd"),
        ("#only comment", "#only comment"),
        ("\x1b[2J\x07beep", "beep"),
        ("a" * 70_000, "a" * 4095 + "\u2026"),
        ("data 5\nfrom x", "data 5\nfrom x"),
    ],
)
def test_messages_are_taken_as_text(store, workspace, message, kept):
    assert store.log(commit(store, workspace, message=message).commit)[0].message == kept


@pytest.mark.parametrize("message", ["", " \n", "\x07"])
def test_a_commit_needs_a_message(store, workspace, message):
    with pytest.raises(InvalidInput, match="message"):
        commit(store, workspace, message=message)


def test_files_that_are_not_those_that_were_told_of_are_not_committed(store):
    told = Content((content_file("a.txt", b"1", executable=False), content_file("b.txt", b"2", executable=False)), ())
    changes = Changes(files=(NewFile("a.txt", b"1"),), removed=(), content=told)
    with pytest.raises(Conflict):
        store.commit(changes, base=None, message="x", parent=None, when=WHEN)
    assert git(store, "for-each-ref") == ""


def test_a_tree_that_git_holds_otherwise_is_not_used(store, workspace, monkeypatch):
    other, held = commit(store, workspace), Objects.commit
    workspace.write("later.txt", b"1")
    monkeypatch.setattr(Objects, "commit", lambda self, name: held(self, other.commit))
    with pytest.raises(GitFailed, match="does not have the tree"):
        commit(store, workspace)


def test_git_that_breaks_off_is_an_error(store, workspace, monkeypatch):
    monkeypatch.setattr(pack_writer, "SIGNATURE", b"JUNK")
    with pytest.raises(GitFailed, match="index-pack"):
        commit(store, workspace)
    assert git(store, "for-each-ref") == ""


def test_a_pack_in_which_git_finds_other_objects_is_not_used(store, workspace, monkeypatch):
    right = pack_format.identifier

    def wrong(kind, data):
        return right(kind, data + b"x" * (data == b"a\r\nb\n"))

    monkeypatch.setattr(commit_writing, "identifier", wrong)
    with pytest.raises(GitFailed, match="in place of"):
        commit(store, workspace)
    assert git(store, "for-each-ref") == ""


def test_leavings_of_killed_imports_are_swept_once_they_are_old(store, workspace):
    store.create()
    packs = store.path / "objects" / "pack"
    names = ("tmp_pack_a", ".tmp-123-pack-0a.pack", "pack-1.keep")
    old = [store.path / "fast_import_crash_1", *(packs / name for name in names)]
    new = store.path / "objects" / "pack" / "tmp_pack_b"
    for path in (*old, new):
        path.touch()
    for path in old:
        os.utime(path, (0, 0))
    commit(store, workspace)
    assert new.exists()
    assert not any(path.exists() for path in old)


def test_the_lock_that_a_killed_git_has_left_is_in_nobodys_way_for_long(store, workspace, monkeypatch):
    named = commit(store, workspace).commit
    git(store, "update-ref", "-d", f"refs/generations/{named}")
    lock = store.path / "refs" / "generations" / f"{named}.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    monkeypatch.setattr(commit_sharing, "_NAMING", ("core.filesRefLockTimeout=10",))
    with pytest.raises(TemporaryFailure) as raised:
        commit(store, workspace)
    assert lock.exists()
    assert raised.value.retry_after is not None
    before = time.time() - raised.value.retry_after - 1
    os.utime(lock, (before, before))
    assert commit(store, workspace).commit == named
    assert git(store, "for-each-ref", "--format=%(refname)").split() == [f"refs/generations/{named}"]
    assert not lock.exists()


def test_a_name_that_cannot_be_given_for_another_reason_is_no_passing_failure(store, workspace):
    store.create()
    with pytest.raises(GitFailed) as raised:
        commit_sharing.give_name(store, "0" * 39 + "1")
    assert not raised.value.retryable


def test_a_commit_reads_like_the_workspace_it_came_from(store, workspace):
    made = commit(store, workspace)
    assert made.content.empty_directories == ("empty/inside",)
    with store.tree(made.commit, empty_directories=made.content.empty_directories) as tree:
        assert list(tree.entries()) == [entry._replace(changed_ns=0) for entry in workspace.entries()]
        with tree.reading() as opener, opener("zeros.bin") as stream:
            assert stream.read(10) == bytes(10)
        # The rest of it was passed over.
        with tree.open("README.md") as stream:
            assert stream.read() == b"# hi\n"
        with pytest.raises(NotFound):
            tree.open("nothing")


def test_what_is_not_there_is_not_found(store, workspace):
    with pytest.raises(NotFound):
        store.log("0" * 40)
    made = commit(store, workspace)
    assert not store.has("0" * 40)
    assert not store.has("--help")
    assert store.has(made.commit)
    for wrong in ("0" * 40, made.tree, "main", made.commit[:12]):
        with pytest.raises(NotFound):
            store.log(wrong)
    with pytest.raises(NotFound):
        store.file(made.commit, "nothing")


def test_a_path_in_place_of_the_store_is_an_error(tmp_path):
    (tmp_path / "s.git").mkdir()
    (tmp_path / "s.git" / "x").touch()
    store = GitStore(tmp_path / "s.git")
    assert store.create() is False
    with pytest.raises(NotFound):
        store.log("0" * 40)


def content(*files: tuple[str, bool, bytes], empty: tuple[str, ...] = ()) -> str:
    return Content(
        files=tuple(
            ContentFile(path, executable, len(data), hashlib.sha256(data).hexdigest(), "")
            for path, executable, data in files
        ),
        empty_directories=empty,
    ).digest


def test_the_digest_is_what_its_definition_says():
    lines = [b"100644 " + hashlib.sha256(b"1").hexdigest().encode() + b" a.txt\0", b"40000 - b\0"]
    assert content(("a.txt", False, b"1"), empty=("b",)) == hashlib.sha256(b"".join(lines)).hexdigest()


def test_the_digest_tells_every_difference_and_no_order():
    base = content(("a", False, b"1"), ("b", False, b"2"))
    assert content(("b", False, b"2"), ("a", False, b"1")) == base
    different = {
        content(("a", True, b"1"), ("b", False, b"2")),
        content(("a", False, b"2"), ("b", False, b"2")),
        content(("c", False, b"1"), ("b", False, b"2")),
        content(("a", False, b"1"), ("b", False, b"2"), empty=("d",)),
        base,
    }
    assert len(different) == 5


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        (b"", ""),
        (b"text", "text"),
        (b"a\0b", ""),
        (b"\xff\xfea", "\ufffd\ufffda"),
        ("\U0001f600".encode() * 1000, "\U0001f600" * 1000),
        (b"x" * 4000, "x" * 1000),
    ],
)
def test_previews(head, shown):
    assert preview(head) == shown


def test_the_store_lies_outside_of_every_workspace(settings):
    stores, workspaces = Path(settings.GIT_STORES_DIR), Path(settings.GENERATED_PROJECTS_DIR)
    assert not stores.is_relative_to(workspaces)
    assert git_store.GitStore.for_project(uuid4()).path.parent == stores
