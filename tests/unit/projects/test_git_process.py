"""How git is started, what it is started with, and what becomes of it."""

from __future__ import annotations

import os
import time
from io import BufferedReader, FileIO
from pathlib import Path

import pytest

from backend.apps.projects.errors import GitFailed
from backend.apps.projects.services import git_environment, git_words
from backend.apps.projects.services.git_environment import command_line, environment, executable
from backend.apps.projects.services.git_process import run, started
from backend.apps.projects.services.git_words import Drain, clean
from backend.errors import ConfigurationError


@pytest.fixture
def store(tmp_path):
    run("init", "--bare", "--quiet", "--template=", "--", str(tmp_path / "s.git"))
    return tmp_path / "s.git"


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    # Dead, and only waiting for whoever reaps orphans here.
    return state in {"Z", "X"}


def soon_gone(pid: int) -> bool:
    """Whether it ends within seconds: nobody here waits for an orphan, which the system ends when it gets to it."""
    until = time.monotonic() + 10
    while not gone(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return gone(pid)


def test_nothing_of_this_process_but_path_and_certificates_reaches_git(monkeypatch):
    for name in tuple(os.environ):
        if name.startswith(("GIT_", "SSL_")):
            monkeypatch.delenv(name)
    for name in ("GIT_DIR", "GIT_TRACE", "GIT_CONFIG_COUNT", "http_proxy", "DJANGO_SECRET", "LD_PRELOAD", "GIT_SSH"):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/private-ca.pem")
    variables = environment(protocols=["https"])
    assert "canary" not in variables.values()
    assert variables["PATH"] == os.environ["PATH"]
    assert variables["SSL_CERT_FILE"] == variables["GIT_SSL_CAINFO"] == "/etc/private-ca.pem"
    assert variables["GIT_ALLOW_PROTOCOL"] == "https"
    assert environment()["GIT_ALLOW_PROTOCOL"] == ""
    monkeypatch.setenv("GIT_SSL_CAINFO", "/etc/own.pem")
    assert environment()["GIT_SSL_CAINFO"] == "/etc/own.pem"


def test_git_sees_exactly_that_environment(store, tmp_path):
    # A hook is the one program that a local repository runs; it inherits what git has.
    target = tmp_path / "t.git"
    run("init", "--bare", "--quiet", "--template=", "--", str(target))
    hook = target / "hooks" / "update"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\nenv > {tmp_path}/env\n")
    hook.chmod(0o755)
    stream = b"commit refs/heads/main\ncommitter A <a@b> 0 +0000\ndata 1\nx\nM 100644 inline a\ndata 1\nx\ndone\n"
    run("fast-import", "--quiet", "--done", git_dir=store, given=stream)
    run("push", "--", str(target), "main:refs/heads/main", git_dir=store, protocols=["file"])
    seen = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    assert seen["HOME"] == "/dev/null"
    assert seen["GIT_CONFIG_GLOBAL"] == "/dev/null"
    assert (
        not {name for name in seen if name in os.environ}
        - {"PATH", "PWD", "SHLVL", "_", "HOME", "LANG", "LC_ALL"}
        - {name for name in seen if name.startswith(("GIT_", "SSL_", "XDG_"))}
    )


@pytest.mark.parametrize("protocols", [(), ("https",), ("http", "https")])
def test_a_protocol_that_was_not_asked_for_is_refused(store, tmp_path, protocols):
    run("init", "--bare", "--quiet", "--template=", "--", str(tmp_path / "t.git"))
    with pytest.raises(GitFailed, match="not allowed"):
        run("ls-remote", "--", f"file://{tmp_path}/t.git", git_dir=store, protocols=protocols)
    with pytest.raises(GitFailed, match="not allowed"):
        run("ls-remote", "--", f"ext::touch {tmp_path}/canary", git_dir=store, protocols=protocols)
    assert not (tmp_path / "canary").exists()


def test_git_is_named_by_its_absolute_path_and_hardened_before_its_command(store):
    line = command_line("push", "x", git_dir=store, options=["core.compression=1"])
    assert Path(line[0]).is_absolute()
    assert line[-3:] == [f"--git-dir={store}", "push", "x"]
    for wanted in (
        "core.hooksPath=/dev/null",
        "credential.helper=",
        "http.followRedirects=false",
        "protocol.allow=never",
    ):
        assert line[line.index(wanted) - 1] == "-c"
        assert line.index(wanted) < line.index("push")
    assert "core.compression=1" in line


def test_a_machine_without_git_is_told_so(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    executable.cache_clear()
    with pytest.raises(ConfigurationError, match="git") as missing:
        executable()
    executable.cache_clear()
    assert missing.value.hint


def test_a_failure_carries_gits_words(store):
    with pytest.raises(GitFailed) as failed:
        run("rev-parse", "--verify", "no-such-thing", git_dir=store)
    assert failed.value.words == "fatal: Needed a single revision"
    assert "rev-parse" in failed.value.message
    assert not failed.value.timed_out
    assert not failed.value.retryable


def test_what_takes_too_long_is_ended_with_all_it_started(store, tmp_path):
    pid_file = tmp_path / "pid"
    begun = time.monotonic()
    alias = f"alias.hang=!sh -c 'echo $$ > {pid_file}; exec sleep 60' &\nsleep 60"
    with pytest.raises(GitFailed) as failed:
        run("hang", git_dir=store, options=[alias], timeout=0.5)
    assert failed.value.timed_out
    assert time.monotonic() - begun < 20
    assert soon_gone(int(pid_file.read_text()))


def test_too_long_an_answer_is_cut_off(store):
    with pytest.raises(GitFailed, match="more than it may") as failed:
        run("endless", git_dir=store, options=["alias.endless=!yes"], output_limit=10_000)
    assert len(failed.value.output) <= 10_000


def test_much_noise_on_standard_error_blocks_nothing_and_is_bounded(store):
    answer = run("noisy", git_dir=store, options=["alias.noisy=!head -c 3000000 /dev/zero | tr '\\0' x >&2"])
    assert len(answer.words) <= 4000


def test_leaving_the_block_ends_git(store):
    def fail(process):
        assert not gone(process._process.pid)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), started("cat-file", "--batch", git_dir=store) as process:
        fail(process)
    assert gone(process._process.pid)


def test_writing_to_a_git_that_has_ended_gives_its_words(store):
    def write_much(process):
        process.ask(b"nonsense")
        for _ in range(100):
            process.ask(b"x" * 100_000)

    with pytest.raises(GitFailed, match=r"(?i)unsupported"), started("fast-import", git_dir=store) as process:
        write_much(process)


def test_a_conversation_is_answered_line_by_line(store):
    with started("cat-file", "--batch-check", git_dir=store, output_limit=None) as process:
        process.ask(b"0" * 40)
        assert process.output.readline() == b"0" * 40 + b" missing\n"
        assert process.finish().output == b""


def test_a_process_that_left_the_group_is_not_waited_for_for_ever(store, tmp_path, monkeypatch):
    monkeypatch.setattr("backend.apps.projects.services.git_words.LONGEST_WAIT", 0.2)
    begun = time.monotonic()
    run(
        "stray",
        git_dir=store,
        options=[f"alias.stray=!setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 8' & sleep 0.2"],
    )
    assert time.monotonic() - begun < 6
    os.kill(int((tmp_path / "pid").read_text()), 9)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"remote: no \x1b[31mred\x1b[0m\x07\n", "remote: no red"),
        (b"10%\r50%\r100%\ndone", "100%\ndone"),
        (b"line\r\nnext\r\n", "line\nnext"),
        (b"\x1b]0;title\x07x\x1b]8;;http://e\x1b\\y", "xy"),
        ("a\u202eb\u200bc\u2028d".encode(), "abcd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"https://user:secret@host/x and http://u@h", "https://[redacted]@host/x and http://[redacted]@h"),
        (b"Authorization: Basic Z2l0OnNlY3JldA==", "Authorization: Basic [redacted]"),
        (b"Bearer abcdefghijkl", "Bearer [redacted]"),
        (("gh" + "p_" + "C" * 36).encode(), "[redacted]"),
        (("glp" + "at-" + "C" * 20).encode(), "[redacted]"),
        (b"x" * 5000, "x" * 3999 + "\u2026"),
    ],
)
def test_words_are_cleaned(said, shown):
    assert clean(said) == shown


def test_given_secrets_are_removed_longest_first():
    assert clean("abcdef abc", secrets=["abc", "abcdef", ""]) == "[redacted] [redacted]"


def test_hardening_switches_off_everything_that_runs_a_program():
    names = {option.partition("=")[0] for option in git_environment.HARDENING}
    assert {
        "core.hooksPath",
        "core.fsmonitor",
        "core.sshCommand",
        "core.gitProxy",
        "core.askPass",
        "credential.helper",
    } <= names


class Slow(BufferedReader):
    """A pipe whose reader is stopped for longer than anybody waits."""

    def read1(self, size: int = -1, /) -> bytes:
        time.sleep(0.1)
        return super().read1(size)


def test_what_was_said_is_whole_also_where_its_reader_was_stopped(monkeypatch):
    monkeypatch.setattr(git_words, "A_MOMENT", 0.01)
    reading, writing = os.pipe()
    os.write(writing, b"x" * 60_000)
    os.close(writing)
    assert len(Drain(Slow(FileIO(reading)), limit=100_000).read()) == 60_000


def test_a_process_that_was_left_behind_and_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(git_words, "A_MOMENT", 0.2)
    reading, writing = os.pipe()
    os.write(writing, b"said")
    drain = Drain(BufferedReader(FileIO(reading)), limit=100)
    assert drain.read() == b"said"
    os.close(writing)
    drain.close()
