"""A real RabbitMQ of the tests' own, in a folder of its own: unpacked, not installed, and no service of the machine."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import amqp
from amqp.exceptions import AMQPError

from backend.cli.stack.preflight import choose_port
from backend.config.parent_death import die_with_parent
from tests.integration.debian import RABBITMQ, unpacked

START_PATIENCE = 90.0
USER, PASSWORD = "repomill", "hutch-of-rabbits"


class RabbitMQ:
    """A server of one node on 127.0.0.1 that keeps what it has; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, self._between, self._names = (choose_port(0, option="--port") for _ in range(3))
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        erlang = unpacked("rabbitmq", RABBITMQ) / "usr" / "lib" / "erlang"
        (self._programs,) = erlang.glob("erts-*/bin")
        (self._folder / "bin").mkdir(parents=True)
        # Debian's own script knows one place alone.
        erl = self._folder / "bin" / "erl"
        erl.write_text(
            f"#!/bin/sh\nexport ROOTDIR={erlang} BINDIR={self._programs} EMU=beam PROGNAME=erl\n"
            f'exec "$BINDIR/erlexec" "$@"\n'
        )
        erl.chmod(0o755)
        (self._folder / "rabbit.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\ndefault_user = {USER}\ndefault_pass = {PASSWORD}\n"
            "vm_memory_high_watermark.absolute = 600MB\ndisk_free_limit.absolute = 10MB\nlog.console = true\n"
        )
        names = ["-port", str(self._names), "-address", "127.0.0.1"]
        self._epmd = subprocess.Popen(
            [self._programs / "epmd", *names],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(die_with_parent, parent=os.getpid()),
        )
        try:
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    @property
    def url(self) -> str:
        """What REPOMILL_BROKER_URL says for it."""
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        (script,) = unpacked("rabbitmq", RABBITMQ).glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [script],
                env=self._environment(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, parent=os.getpid()),
                start_new_session=True,
            )
        deadline = time.monotonic() + START_PATIENCE
        while True:
            try:
                with self.connection():
                    return
            except (OSError, AMQPError) as error:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    words = (self._folder / "log").read_text("utf-8", "replace")[-2000:]
                    raise AssertionError(f"RabbitMQ did not come up: {words}") from error
                time.sleep(0.1)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._server is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, 9)
            self._server.wait()
            self._server = None

    def connection(self) -> amqp.Connection:
        """Return a connection to it; a context manager."""
        return amqp.Connection(f"127.0.0.1:{self.port}", userid=USER, password=PASSWORD, connect_timeout=2)

    def purge(self, queue: str) -> int:
        """Have it forget what waits in a queue; return how much that was."""
        with self.connection() as connection:
            return connection.channel().queue_purge(queue) or 0

    def _end(self) -> None:
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": f"{folder}/bin:{self._programs}:{os.environ['PATH']}",
            "HOME": folder,
            "HOSTNAME": socket.gethostname(),
            "LC_ALL": "C.UTF-8",
            "RABBITMQ_MNESIA_BASE": f"{folder}/kept",
            "RABBITMQ_LOGS": "-",
            # What it did at an upgrade, of which there is none, goes here all the same.
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_NODENAME": f"rm{self.port}@127.0.0.1",
            # A long name may be a number, which needs nobody who knows `localhost`.
            "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbit.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_DIST_PORT": str(self._between),
            # Few threads that do not spin: it is one guest among many.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
