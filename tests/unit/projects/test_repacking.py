"""Repacking: fewer packs, the same commits, and nobody who works in the store meanwhile loses anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.apps.projects.services.git_process import run
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.repacking import _alone, pack_count, repack_if_needed, repack_stores
from backend.apps.projects.services.workspace import Workspace
from tests.commits import commit_all

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> GitStore:
    return GitStore(tmp_path / "stores" / "one.git")


@pytest.fixture
def commits(store: GitStore, tmp_path: Path) -> list[str]:
    workspace = Workspace(tmp_path / "workspace")
    made: list[str] = []
    for number in range(6):
        workspace.write("a.txt", str(number).encode() * 1000)
        made.append(commit_all(store, workspace, message="x", parent=made[-1] if made else None, when=WHEN).commit)
    return made


def test_packs_become_one_and_nothing_is_lost(store, commits):
    assert pack_count(store) == 6
    assert not repack_if_needed(store, most_packs=6)
    assert repack_if_needed(store, most_packs=5)
    assert pack_count(store) == 1
    assert [store.file(commit, "a.txt") for commit in commits] == [str(n).encode() * 1000 for n in range(6)]
    subprocess.run(["git", "--git-dir", str(store.path), "fsck", "--strict"], check=True, capture_output=True)
    assert not repack_if_needed(store, most_packs=5)


def test_a_commit_that_has_no_name_yet_is_kept(store, commits):
    run("update-ref", "-d", f"refs/generations/{commits[-1]}", git_dir=store.path)
    assert repack_if_needed(store, most_packs=1)
    assert store.has(commits[-1])
    assert store.file(commits[-1], "a.txt") == b"5" * 1000


def test_who_reads_meanwhile_goes_on_reading(store, commits):
    with store.tree(commits[0]) as first, store.tree(commits[5]) as last:
        assert repack_if_needed(store, most_packs=1)
        with first.open("a.txt") as stream:
            assert stream.read() == b"0" * 1000
        with last.open("a.txt") as stream:
            assert stream.read() == b"5" * 1000


def test_one_repacks_at_a_time(store, commits):
    with _alone(store.path) as alone:
        assert alone
        assert not repack_if_needed(store, most_packs=1)
    assert repack_if_needed(store, most_packs=1)


def test_every_store_is_looked_at(store, commits, settings, tmp_path):
    settings.GIT_STORES_DIR = tmp_path / "stores"
    GitStore(tmp_path / "stores" / "two.git").create()
    assert repack_stores() == 0
    assert repack_stores(most_packs=2) == 1
    assert not repack_if_needed(GitStore(tmp_path / "none.git"))


def test_a_store_that_cannot_be_packed_holds_up_no_other(store, commits, settings, tmp_path, caplog):
    settings.GIT_STORES_DIR = tmp_path / "stores"
    broken = tmp_path / "stores" / "broken.git"
    shutil.copytree(store.path, broken)
    for pack in (broken / "objects" / "pack").glob("pack-*.pack"):
        pack.write_bytes(pack.read_bytes()[:40])
    assert repack_stores(most_packs=2) == 1
    assert pack_count(store) == 1
    assert "broken" in caplog.text


def test_what_a_killed_repack_has_left_is_removed(store, commits):
    left = store.path / "objects" / "pack" / ".tmp-123-pack-0a.pack"
    left.touch()
    os.utime(left, (0, 0))
    assert repack_if_needed(store, most_packs=2)
    assert not left.exists()
