"""The corpus of attacks against git: its rows about branches, arguments, addresses, messages and planted files."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.apps.projects.hosts.addresses import local_address, remote_address, valid_branch
from backend.apps.projects.hosts.git import GitHost, push_commit
from backend.apps.projects.services.git_process import run
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.projects.services.workspace import Workspace
from backend.errors import InvalidInput, RepomillError
from tests.commits import commit_all
from tests.corpus import rows

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def refused(call, value: str) -> bool:
    try:
        call(value)
    except InvalidInput:
        return True
    return False


def test_branch_names():
    wrong = [
        row["id"]
        for row in rows("third_party/branch_names")
        if refused(valid_branch, row["value"]) is not (row["expected"] == "reject")
    ]
    assert wrong == []


def test_arguments_are_no_addresses_names_or_branches(tmp_path):
    wrong = [
        (row["id"], call.__name__)
        for row in rows("third_party/git_argument_injection")
        if row["expected"] == "reject"
        for call in (remote_address, local_address, valid_branch)
        if not refused(call, row["value"].replace("@TMP@", str(tmp_path)))
    ]
    assert wrong == []


OPTIONS: tuple[Callable[..., Any], ...] = (
    *(call for _, call in inspect.getmembers(RepositoryExporter, inspect.isfunction)),
    *(GitHost.__init__, GitHost.push, GitStore.commit, GitStore.create, push_commit),
)


def test_no_option_of_git_is_an_argument_of_ours():
    """Nor is there a method that passes on whatever it is given."""
    names = {row["value"] for row in rows("third_party/git_argument_injection") if row["expected"] != "reject"}
    assert len(names) >= 20
    for call in OPTIONS:
        for parameter in inspect.signature(call).parameters.values():
            assert parameter.kind not in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}
            assert parameter.name not in names, call


# Rows that depend on an operator's list of hosts: a git remote may be on any host.
OF_ANOTHER_HOST = ("https://github.com.evil.invalid/o/r", "https://127.0.0.1/o/r")


def test_remote_urls():
    found = [
        row
        for row in rows("own/git_metadata")
        if row["field"] in {"remote url", "remote name", "tag"}
        and row["expected"] != "normalise then compare"
        and row["value"] not in OF_ANOTHER_HOST
    ]
    assert len(found) >= 8
    assert [row["id"] for row in found if not refused(remote_address, row["value"])] == []


def test_a_url_is_compared_after_it_was_normalised():
    (row,) = [row for row in rows("own/git_metadata") if row["expected"] == "normalise then compare"]
    assert remote_address(row["value"]).origin == row["value"].lower().rpartition("/o/")[0]


def test_a_host_that_only_begins_like_another_is_another():
    (row,) = [row for row in rows("own/git_metadata") if row["value"].startswith("https://github.com.evil")]
    assert remote_address(row["value"]).origin == "https://github.com.evil.invalid"


def test_messages(tmp_path):
    store = GitStore(tmp_path / "s.git")
    workspace = Workspace(tmp_path / "w")
    workspace.write("a.txt", b"1")
    for row in rows("own/git_metadata"):
        if row["field"] != "message":
            continue
        message = "a" * 70_000 if row["value"].startswith("<gen") else row["value"]
        if not message or not message.strip("\x1b[2J\x07"):
            with pytest.raises(InvalidInput):
                commit_all(store, workspace, message=message, parent=None, when=WHEN)
            continue
        made = commit_all(store, workspace, message=message, parent=None, when=WHEN)
        kept = store.log(made.commit)[0].message
        assert kept == message or (len(message) > 4096 and len(kept) == 4096), row["id"]


def test_nobody_says_who_made_a_commit_and_when(tmp_path, monkeypatch):
    """The corpus' names, addresses and dates are no argument of anything, and the environment's are not read."""
    found = [row for row in rows("own/git_metadata") if row["field"] in {"author.name", "author.email", "date"}]
    assert {row["field"] for row in rows("own/git_metadata")} == {
        *("author.name", "author.email", "date", "message", "remote url", "remote name", "tag"),
    }
    workspace = Workspace(tmp_path / "w")
    workspace.write("a.txt", b"1")
    for row in found:
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{role}_{row['field'].rpartition('.')[2].upper()}", row["value"].replace("\0", ""))
        store = GitStore(tmp_path / f"{row['id']}.git")
        made = commit_all(store, workspace, message="x", parent=None, when=WHEN).commit
        raw = run("cat-file", "commit", made, git_dir=store.path).output.decode()
        stamp = f"Repomill <repomill@localhost> {int(WHEN.timestamp())} +0000"
        assert raw.rstrip("\n").split("\n")[1:] == [f"author {stamp}", f"committer {stamp}", "", "x"], row
    taken = {name for call in OPTIONS for name in inspect.signature(call).parameters}
    assert not [name for name in taken if "author" in name or "email" in name or "date" in name]


def test_what_is_planted_in_a_workspace_never_acts_and_never_gets_in(tmp_path):
    """Write each plant past every check, as a bug elsewhere might, and see that git takes no notice of it."""
    canary = tmp_path / "canary"
    (tmp_path / "victim").write_text("untouched")
    for number, row in enumerate(rows("own/structure_plants")):
        root = tmp_path / f"w{number}"
        root.mkdir()
        (root / "README.md").write_text("x")
        _plant(root, row.get("structure", row.get("value")), canary)
        store = GitStore(tmp_path / f"s{number}.git")
        names = _committed(store, root)
        assert not [name for name in names if ".git" in name.lower().split("/")], row["id"]
        assert not canary.exists(), row["id"]
        assert (tmp_path / "victim").read_text() == "untouched"


def _committed(store: GitStore, root: Path) -> list[str]:
    try:
        made = commit_all(store, Workspace(root), message="x", parent=None, when=WHEN)
    except RepomillError:
        # Refused as a whole: then there is no commit at all.
        assert not list(store.path.glob("refs/generations/*"))
        return []
    with store.tree(made.commit) as tree:
        return [entry.path for entry in tree.entries()]


def _plant(folder: Path, structure: object, canary: Path) -> None:
    if not isinstance(structure, dict):
        return
    for name, content in structure.items():
        path = folder / name
        if "\0" in name or not path.resolve().is_relative_to(folder.resolve()) or len(name) > 250:
            continue
        if isinstance(content, dict) and isinstance(content.get("content"), str):
            content = content["content"]
        if isinstance(content, dict):
            path.mkdir(parents=True, exist_ok=True)
            _plant(path, content, canary)
        elif isinstance(content, str) and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.replace("@CANARY@", str(canary)).replace("@ROOT@", str(folder.parent)))
