"""The embedded broker: a real server that keeps what it is given and never outlives its owner."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kombu import Connection

from backend.cli.errors import FolderLocked
from backend.cli.stack import broker
from backend.cli.stack.broker import EmbeddedBroker, ask, find_server
from backend.errors import ConfigurationError, TemporaryFailure

pytestmark = pytest.mark.integration

OWNER = """
import sys, time
from pathlib import Path
from backend.cli.stack.broker import EmbeddedBroker
print(EmbeddedBroker(Path(sys.argv[1])).start().pid, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path is short enough for a socket."""
    return tmp_path_factory.mktemp("b")


def start_owner(folder: Path) -> tuple[subprocess.Popen[str], int]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    return owner, int(owner.stdout.readline())


def gone(pid: int, *, patience: float = 3.0) -> bool:
    """Say whether a process ends within the patience; a zombie that nobody has collected yet has ended."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def test_it_answers_and_is_private(folder: Path) -> None:
    with EmbeddedBroker(folder) as running:
        assert ask(running.socket, "PING") == b"+PONG\r\n"
        assert stat.S_IMODE(running.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE((folder / "broker" / "broker.conf").stat().st_mode) == 0o600
        assert b"noeviction" in ask(running.socket, "CONFIG", "GET", "maxmemory-policy")
        assert running.pid is not None
        pid = running.pid
    assert gone(pid)
    assert running.pid is None
    assert not running.socket.exists()
    running.stop()


def test_its_url_is_one_for_celery_even_with_odd_characters(tmp_path_factory: pytest.TempPathFactory) -> None:
    odd = tmp_path_factory.mktemp("a b#%")
    with EmbeddedBroker(odd) as running, Connection(running.url) as connection:
        queue = connection.SimpleQueue("letters")
        queue.put({"hello": "world"})
        message = queue.get(timeout=2)
        assert message.payload == {"hello": "world"}
        message.ack()
        queue.close()


def test_it_brings_back_what_it_held(folder: Path) -> None:
    with EmbeddedBroker(folder) as running:
        ask(running.socket, "RPUSH", "queue", "one", "two")
    with EmbeddedBroker(folder) as running:
        assert ask(running.socket, "LRANGE", "queue", "0", "-1") == b"*2\r\n$3\r\none\r\n$3\r\ntwo\r\n"


def test_only_one_owner_at_a_time(folder: Path) -> None:
    owner, pid = start_owner(folder)
    with owner:
        with pytest.raises(FolderLocked):
            EmbeddedBroker(folder).start()
        assert b"PONG" in ask(folder / "redis.sock", "PING")
        owner.kill()
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_it_dies_with_a_killed_owner(folder: Path) -> None:
    owner, pid = start_owner(folder)
    with owner:
        owner.kill()
    assert gone(pid)


def test_one_that_outlived_its_owner_is_replaced_with_its_queues(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server whose owner could not take it along (not Linux), a new start ends it and keeps what it held."""
    monkeypatch.setattr(broker, "die_with_parent", lambda **_: None)
    abandoned = EmbeddedBroker(folder).start()
    process, abandoned._process = abandoned._process, None
    assert process is not None
    abandoned.stop()
    ask(abandoned.socket, "SET", "kept", "yes")
    with EmbeddedBroker(folder) as running:
        assert process.wait(5) is not None
        assert ask(running.socket, "GET", "kept") == b"$3\r\nyes\r\n"


def test_one_that_no_longer_listens_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "die_with_parent", lambda **_: None)
    monkeypatch.setattr(broker, "STOP_PATIENCE", 0.1)
    abandoned = EmbeddedBroker(folder).start()
    process, abandoned._process = abandoned._process, None
    assert process is not None
    abandoned.stop()
    # It answers INFO, and hangs before it can obey SHUTDOWN.
    real_ask = ask

    def hang_after(path: Path, *words: str, timeout: float = 1.0) -> bytes:
        if words[0] == "SHUTDOWN":
            raise TimeoutError
        return real_ask(path, *words, timeout=timeout)

    monkeypatch.setattr(broker, "ask", hang_after)
    with EmbeddedBroker(folder) as running:
        assert process.wait(5) == -signal.SIGKILL
        assert running.pid not in {None, process.pid}


def test_a_server_that_ends_at_once_is_told_with_its_last_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "find_server", lambda: "/bin/false")
    with pytest.raises(TemporaryFailure, match="ended at once: it said nothing"):
        EmbeddedBroker(folder).start()
    # And the folder is free again.
    monkeypatch.undo()
    with EmbeddedBroker(folder) as running:
        assert running.pid


def test_a_server_that_stays_silent_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = folder / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o700)
    monkeypatch.setattr(broker, "find_server", lambda: str(silent))
    monkeypatch.setattr(broker, "START_PATIENCE", 0.2)
    started = EmbeddedBroker(folder)
    with pytest.raises(TemporaryFailure, match="did not answer"):
        started.start()
    assert started.pid is None


def test_the_packaged_server_comes_before_one_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.access(find_server(), os.X_OK)
    monkeypatch.setattr(broker, "find_spec", lambda _: None)
    own = tmp_path / "redis-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == str(own)
    own.unlink()
    with pytest.raises(ConfigurationError, match="No broker is installed") as caught:
        find_server()
    assert "REDIS_URL" in (caught.value.hint or "")
