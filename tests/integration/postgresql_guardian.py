"""Runs one throw-away PostgreSQL server, and takes it away again however its owner ends.

    python -m tests.integration.postgresql_guardian BINARIES

It makes a folder, a cluster in it and a server on a Unix socket below it, says in one line of JSON where that is
(`{"socket": ...}`, or `{"error": ...}`), and waits. The line `crash` on its standard input breaks the server off and
starts it again, and is answered in the same way. When its standard input comes to an end, which it does also when its
owner is killed, the server is stopped and the folder is gone. Nothing listens on the network, nothing outside the
folder is written, and no user, service or permission of the machine is changed.

PostgreSQL refuses to run as root. Started by root, the server runs as `nobody`.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from backend.config.parent_death import die_with_parent

PORT = 5432
"""Names the socket's file; nothing listens on a port."""
START_PATIENCE = 60.0
STOP_PATIENCE = 20.0
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0600",
    # What it holds is thrown away: it need not survive the machine, only its own crash.
    "fsync": "off",
    "full_page_writes": "off",
    # In the folder, so that a killed server leaves nothing in the machine's shared memory.
    "dynamic_shared_memory_type": "mmap",
}


class CannotRun(Exception):
    """There is no way to run this server here."""


class Cluster:
    """A cluster in a folder of its own, and the server of it."""

    def __init__(self, home: Path, binaries: Path) -> None:
        self.home = home
        self.data = home / "data"
        self.socket = home / "socket"
        self.log = home / "log"
        self.account: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self.binaries = self._reachable(binaries)
        self.server: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the cluster; its server is not started."""
        for folder in (self.data, self.socket):
            folder.mkdir(mode=0o700)
            if self.account:
                os.chown(folder, self.account["user"], self.account["group"])
        words = ("--username=postgres", "--auth=trust", "--no-sync", f"--pgdata={self.data}")
        self._run("initdb", *words, *self._locale())

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        settings = SETTINGS | {"unix_socket_directories": str(self.socket), "port": str(PORT)}
        words = [f"--{name}={value}" for name, value in settings.items()]
        with self.log.open("ab") as log:
            self.server = subprocess.Popen(
                [str(self.binaries / "postgres"), "-D", str(self.data), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                cwd=self.home,
                # PostgreSQL's own word for: at once, and without leaving anything behind.
                preexec_fn=partial(die_with_parent, parent=os.getpid(), by=signal.SIGQUIT),
                **self.account,
            )
        deadline = time.monotonic() + START_PATIENCE
        while not self._ready():
            if self.server.poll() is not None or time.monotonic() > deadline:
                raise CannotRun(f"PostgreSQL did not come up: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def crash(self) -> None:
        """Break off every connection and transaction, and start again, which recovers what had been committed."""
        if self.server is not None:
            self.server.send_signal(signal.SIGQUIT)
            self.server.wait()
        self.start()

    def stop(self) -> None:
        """Stop the server without waiting for its clients."""
        if self.server is None:
            return
        if self.server.poll() is not None:
            sys.stderr.write(f"PostgreSQL ended before its time:\n{self.log.read_text()[-2000:]}\n")
            return
        self.server.send_signal(signal.SIGINT)
        try:
            self.server.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self.server.send_signal(signal.SIGQUIT)
            self.server.wait()

    def _ready(self) -> bool:
        # The file's eighth line says so: no client program is needed, and some packages have none.
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and lines[0] == str(self.server and self.server.pid)

    def _reachable(self, binaries: Path) -> Path:
        """Return where the server's user can run the programs: a copy where it cannot reach them, as below /root."""
        try:
            self._try(binaries)
        except PermissionError:
            binaries = self._copied(binaries)
            try:
                self._try(binaries)
            except PermissionError as error:
                raise CannotRun(f"The user of the server cannot run programs in {self.home}.") from error
        return binaries

    def _copied(self, binaries: Path) -> Path:
        copy = self.home / "programs"
        release = binaries.parent
        shutil.copytree(release, copy / release.parent.name / release.name)
        # Where a wheel has the libraries that it brings along.
        libraries = release.parent.with_name(f"{release.parent.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy / libraries.name)
        for path in (copy, *copy.rglob("*")):
            path.chmod(path.stat().st_mode | 0o555)
        return copy / release.parent.name / release.name / binaries.name

    def _try(self, binaries: Path) -> None:
        for program in ("postgres", "initdb"):
            command = [str(binaries / program), "--version"]
            subprocess.run(command, env=self._environment(), cwd="/", capture_output=True, check=True, **self.account)

    def _run(self, program: str, *arguments: str) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(self.binaries / program), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self._environment(),
            cwd=self.home,
            **self.account,
        )
        if done.returncode != 0:
            raise CannotRun(f"{program} failed: {done.stderr[-2000:]}")
        return done.stdout

    def _locale(self) -> tuple[str, ...]:
        """Return the same order and letters everywhere, as far as this release can."""
        found = re.search(r"\d+", self._run("postgres", "--version"))
        if found and int(found[0]) >= 17:
            return ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        return ("--encoding=UTF8", "--locale=C.UTF-8")

    def _environment(self) -> dict[str, str]:
        # Nothing of the caller's: PGDATA, PGHOST and the like belong to another server.
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def main(binaries: Path) -> int:
    """Run a server until the standard input ends. Returns the exit status."""
    # SystemExit passes through `finally`, which is where everything is taken away.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    signal.signal(signal.SIGINT, lambda number, frame: None)
    # The socket's path may have 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="rm-pg-", dir=None if len(tempfile.gettempdir()) < 70 else "/tmp"))
    try:
        if os.geteuid() == 0:
            # The server is another user's, who has to get to its folders.
            home.chmod(0o711)
        return _serve(Cluster(home, binaries))
    except (CannotRun, OSError, subprocess.CalledProcessError) as error:
        _say({"error": str(error)})
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shutil.rmtree(home)


def _serve(cluster: Cluster) -> int:
    try:
        cluster.create()
        cluster.start()
        _say({"socket": str(cluster.socket)})
        for line in sys.stdin:
            assert line == "crash\n", line
            cluster.crash()
            _say({"socket": str(cluster.socket)})
    finally:
        cluster.stop()
    return 0


def _say(answer: dict[str, str]) -> None:
    with suppress(BrokenPipeError):
        print(json.dumps(answer), flush=True)  # noqa: T201  (the way it speaks to its owner)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
