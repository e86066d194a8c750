"""The command line's handling of a secret in processes of its own: what others on the machine can see of it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from secrets import token_hex

import pytest

from tests.canaries import require_absent
from tests.integration.installation import ROOT, Installation
from tests.unit.credentials.test_canary import command_lines

pytestmark = pytest.mark.integration

ADD = [sys.executable, "-m", "backend.cli", "credentials", "add"]
OPTIONS = ["--host", "git", "--base-url", "https://git.example.org"]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = Installation(tmp_path_factory.mktemp("one"))
    made.cli("migrate")
    return made


@pytest.fixture
def token() -> str:
    return f"CANARY{token_hex(16)}"


def seen_by_others(process: subprocess.Popen[bytes]) -> str:
    """What the list of processes, and the process' own environment, tell while it runs."""
    deadline = time.monotonic() + 10
    # The list is read process by process while others come and go, and a busy machine may leave one out.
    while "credentials add" not in (listed := command_lines()):
        assert time.monotonic() < deadline
    return listed + Path(f"/proc/{process.pid}/environ").read_text("latin-1")


def require_nowhere_in(folder: Path, token: str) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert any(file.name == "repomill.sqlite3" for file in files)
    for file in files:
        require_absent(file.read_bytes().decode("latin-1"), token, str(file))


def test_a_value_from_a_pipe_is_seen_by_nobody(installation: Installation, token: str) -> None:
    process = subprocess.Popen(
        [*ADD, "piped", *OPTIONS, "--stdin"],
        cwd=ROOT,
        env=installation.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process:
        assert process.stdin is not None
        # Without its end the process waits, with what it has read.
        process.stdin.write(token.encode())
        process.stdin.flush()
        require_absent(seen_by_others(process), token, "the processes")
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert b"Added piped." in said
    require_absent(said.decode(), token, "the output")
    assert {row["name"] for row in installation.json("credentials", "list")} >= {"piped"}
    require_nowhere_in(installation.data_dir, token)


def test_a_value_that_is_typed_does_not_appear(installation: Installation, token: str) -> None:
    """Given a terminal, when the value is typed, then nothing of it is shown, and it is taken without its line end."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*ADD, "typed", *OPTIONS],
        cwd=ROOT,
        env=installation.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said, sent, deadline = "", False, time.monotonic() + 60
    with process, os.fdopen(ours, "r+b", buffering=0) as terminal:
        while time.monotonic() < deadline:
            try:
                piece = terminal.read(4096)
            except OSError:
                # The other end is closed: that is how a terminal ends on Linux.
                break
            said += (piece or b"").decode()
            if "(not shown)" in said and not sent:
                require_absent(seen_by_others(process), token, "the processes")
                terminal.write(token.encode() + b"\n")
                sent = True
        process.wait(timeout=60)
    assert process.returncode == 0, said
    assert "Added typed." in said
    require_absent(said, token, "the terminal")
    require_nowhere_in(installation.data_dir, token)
