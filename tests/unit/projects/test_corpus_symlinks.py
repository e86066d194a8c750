"""Links, pipes, sockets and races planted in a workspace: one test for each scenario of the corpus."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from backend.apps.projects.errors import InvalidPath
from backend.apps.projects.services.archives import write_archive
from backend.apps.projects.services.content import Tree
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.workspace import NewFile, Workspace
from backend.errors import RepomillError
from tests.corpus import rows

# The corpus asks for 10 s; that long when it is asked for, so that the whole suite stays quick.
RACE_SECONDS = float(os.environ.get("REPOMILL_RACE_SECONDS", "1"))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "f").write_text("victim")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "all" / "12")
    workspace.write("kept/x", b"x")
    return workspace


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(InvalidPath) as refusal:
        action()
    return str(refusal.value.place["rule"])


def package(workspace: Workspace, tmp_path: Path) -> None:
    for format in ("zip", "tar", "tar.gz"):
        with pytest.raises(InvalidPath):
            write_archive(workspace=workspace, target=tmp_path / f"out.{format}", format=format)
        assert not (tmp_path / f"out.{format}").exists()


def everything_refuses(workspace: Workspace, tmp_path: Path, path: str) -> None:
    refused(lambda: workspace.write(path, b"x"))
    refused(lambda: workspace.write_many([NewFile("new", b""), NewFile(path, b"x")]))
    refused(lambda: workspace.open(path))
    refused(lambda: list(workspace.entries()))
    package(workspace, tmp_path)
    assert not (workspace.root / "new").exists()


def file_link_out_then_write(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    (workspace.root / "link").symlink_to(outside / "f")
    everything_refuses(workspace, tmp_path, "link")


def dir_link_out_then_write_below(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    (workspace.root / "d").symlink_to(outside)
    everything_refuses(workspace, tmp_path, "d/new")
    refused(lambda: workspace.make_directory("d/dir"))
    refused(lambda: workspace.open("d/f"))


def dangling_link_then_write(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    (workspace.root / "x").symlink_to(outside / "notyet")
    everything_refuses(workspace, tmp_path, "x")


def link_chain(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    (workspace.root / "a").symlink_to("b")
    (workspace.root / "b").symlink_to(outside)
    everything_refuses(workspace, tmp_path, "a/new")


def link_loop(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    (workspace.root / "loop").symlink_to("loop")
    everything_refuses(workspace, tmp_path, "loop")


def link_to_proc_self_environ(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    (workspace.root / "e").symlink_to("/proc/self/environ")
    everything_refuses(workspace, tmp_path, "e")


def hard_link(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    os.link(outside / "f", workspace.root / "h")
    everything_refuses(workspace, tmp_path, "h")
    assert refused(lambda: workspace.open("h")) == "hard-link"


def fifo(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    os.mkfifo(workspace.root / "f")
    everything_refuses(workspace, tmp_path, "f")
    assert refused(lambda: workspace.open("f")) == "special-file"


def device_socket(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(workspace.root)  # a socket's whole path is short
        try:
            server.bind("s")
        finally:
            os.chdir(here)
        everything_refuses(workspace, tmp_path, "s")
    assert refused(lambda: workspace.open("s")) == "special-file"


def setuid_bit(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    workspace.write("a", b"x")
    (workspace.root / "a").chmod(0o4755)
    (entry,) = [entry for entry in workspace.entries() if entry.path == "a"]
    assert entry.executable
    assert not hasattr(entry, "mode")
    workspace.write("a", b"y", executable=True)
    assert stat.S_IMODE((workspace.root / "a").stat().st_mode) == 0o755


def cleanup_via_link(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    shutil.rmtree(workspace.root)
    workspace.root.symlink_to(outside)
    assert not workspace.exists()
    for action in (
        workspace.remove,
        workspace.create,
        lambda: workspace.write("f", b"x"),
        lambda: workspace.open("f"),
        lambda: list(workspace.entries()),
    ):
        assert refused(action) in {"link", "file-and-directory"}
    workspace.root.unlink()


def cleanup_of_links_inside(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    (workspace.root / "d").symlink_to(outside)
    workspace.remove()
    assert not workspace.exists()


def workspace_prefix(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    neighbour = Workspace(workspace.root.with_name("123"))
    neighbour.write("secret", b"x")
    for path in ("../123/secret", "/../123/secret", "kept/../../123/secret"):
        refused(lambda path=path: workspace.open(path))  # type: ignore[misc]
        refused(lambda path=path: workspace.write(path, b"y"))  # type: ignore[misc]


def swap_race(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    """A directory is exchanged for a link to the outside again and again, while files are written, read and listed."""
    directory, parked = workspace.root / "d", workspace.root / "parked"
    link = tmp_path / "link"
    stop = threading.Event()
    link.symlink_to(outside)

    def swap() -> None:
        while not stop.is_set():
            # The writer makes the directory anew when it finds none, so each step may fail.
            with suppress(OSError):
                os.rename(directory, parked)
            with suppress(OSError):
                os.rename(link, directory)
            if directory.is_symlink():
                os.rename(directory, link)
            shutil.rmtree(parked, ignore_errors=True)

    workspace.make_directory("d")
    attacker = threading.Thread(target=swap)
    attacker.start()
    outcomes = {"done": 0, "refused": 0}
    end = time.monotonic() + RACE_SECONDS
    try:
        while time.monotonic() < end:
            for action in (
                lambda: workspace.write("d/new", b"x"),
                lambda: workspace.write("d/f", b"y"),
                lambda: workspace.make_directory("d/sub"),
                lambda: workspace.open("d/f").close(),
                lambda: list(workspace.entries()),
            ):
                try:
                    action()
                    outcomes["done"] += 1
                except (RepomillError, FileNotFoundError):
                    outcomes["refused"] += 1
    finally:
        stop.set()
        attacker.join()
    assert outcomes["refused"]
    assert outcomes["done"]


def zip_of_link(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    (workspace.root / "z").symlink_to(outside / "f")
    package(workspace, tmp_path)
    (workspace.root / "z").unlink()
    assert archived(workspace, tmp_path) == {"kept/x": b"x"}


def git_checkout_plants_link(workspace: Workspace, outside: Path, tmp_path: Path) -> None:
    """Put a commit with a link into a store, past every check: what comes out of it is no link and follows none."""
    store = GitStore(tmp_path / "store.git")
    store.create()

    def git(*arguments: str, given: str = "") -> str:
        who = {f"GIT_{role}_{part}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        command = ["git", "--git-dir", str(store.path), *arguments]
        return subprocess.run(command, env=who, input=given, check=True, capture_output=True, text=True).stdout.strip()

    target = str(outside / "f")
    blob = git("hash-object", "-w", "--stdin", given=target)
    tree = git("mktree", given=f"120000 blob {blob}\tlink\n")
    with store.tree(git("commit-tree", tree, "-m", "x")) as planted:
        assert archived(planted, tmp_path) == {"link": target.encode()}


def archived(tree: Tree, tmp_path: Path) -> dict[str, bytes]:
    """Return the members of an archive that is made of a tree; all of them are regular files or directories."""
    write_archive(workspace=tree, target=tmp_path / "made.tar", format="tar")
    with tarfile.open(tmp_path / "made.tar") as archive:
        assert all(member.isreg() or member.isdir() for member in archive)
        files = {member.name: archive.extractfile(member) for member in archive if member.isreg()}
        return {name: file.read() for name, file in files.items() if file is not None}


SCENARIOS = {
    "file link out, then write": file_link_out_then_write,
    "dir link out, then write below": dir_link_out_then_write_below,
    "dangling link, then write": dangling_link_then_write,
    "link chain": link_chain,
    "link loop": link_loop,
    "link to /proc/self/environ": link_to_proc_self_environ,
    "swap race": swap_race,
    "hard link": hard_link,
    "fifo": fifo,
    "device/socket": device_socket,
    "setuid bit": setuid_bit,
    "zip of link": zip_of_link,
    "cleanup via link": cleanup_via_link,
    "workspace prefix": workspace_prefix,
    "git checkout plants link": git_checkout_plants_link,
    "links inside, then cleanup": cleanup_of_links_inside,
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_scenario(scenario, workspace: Workspace, outside: Path, tmp_path: Path):
    scenario(workspace, outside, tmp_path)
    assert os.listdir(outside) == ["f"]
    assert (outside / "f").read_text() == "victim"


def test_every_scenario_of_the_corpus_is_here():
    assert {row["name"] for row in rows("own/symlink_scenarios")} <= SCENARIOS.keys()
