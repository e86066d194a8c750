"""Machines of their own, as far as a network can tell: a namespace each, with one cable to this machine.

Nothing but the test's own servers is at the other end of the cable: forwarders of TCP, which listen on the cable's
address alone. Where namespaces are not allowed, a machine is reached on this machine's own address, and its cable is
cut by its forwarders, which go on holding the connections and pass nothing on.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from functools import cache

Address = str | tuple[str, int]
"""A Unix socket's path, or a host and a port."""


@cache
def namespaces_allowed() -> bool:
    """Return whether this user may make network namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"rmt{os.getpid() % 100000}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return made.returncode == 0


class Cable:
    """The one way between a machine, number `number`, and this one. Servers are put at its end by `offer`."""

    def __init__(self, number: int, *, namespace: bool) -> None:
        self._name = f"rm{os.getpid() % 100000}{'abcdef'[number]}" if namespace else ""
        # Of the block that is for measurements between networks (RFC 2544): nobody's, anywhere.
        first = f"198.18.{os.getpid() % 250}."
        self.address = f"{first}{number * 4 + 1}" if namespace else "127.0.0.1"
        self._other = f"{first}{number * 4 + 2}"
        self._forwarders: list[Forwarder] = []
        if namespace:
            self._lay()

    @property
    def command(self) -> list[str]:
        """What has to stand before a command that is to run on the machine."""
        return ["ip", "netns", "exec", self._name] if self._name else []

    def offer(self, server: Address) -> int:
        """Let the machine reach a server at the cable's address; return the port."""
        self._forwarders.append(Forwarder(self.address, server))
        return self._forwarders[-1].port

    def cut(self) -> None:
        """Cut it: nothing comes through any more, and nobody is told."""
        if self._name:
            _ip("link", "set", self._name, "down")
        for forwarder in self._forwarders:
            forwarder.open.clear()

    def mend(self) -> None:
        """Mend it."""
        if self._name:
            _ip("link", "set", self._name, "up")
        for forwarder in self._forwarders:
            forwarder.open.set()

    def remove(self) -> None:
        """Take it away."""
        for forwarder in self._forwarders:
            forwarder.stop()
        if self._name:
            subprocess.run(["ip", "netns", "del", self._name], capture_output=True)
            subprocess.run(["ip", "link", "del", self._name], capture_output=True)

    def _lay(self) -> None:
        name, inside = self._name, f"{self._name}i"
        _ip("netns", "add", name)
        try:
            _ip("link", "add", name, "type", "veth", "peer", "name", inside)
            _ip("link", "set", inside, "netns", name)
            _ip("addr", "add", f"{self.address}/30", "dev", name)
            _ip("link", "set", name, "up")
            for words in (["addr", "add", f"{self._other}/30", "dev", inside], ["link", "set", inside, "up"]):
                _ip("-n", name, *words)
            _ip("-n", name, "link", "set", "lo", "up")
        except BaseException:
            self.remove()
            raise


class Forwarder:
    """Passes on what it is sent, at once, while it is open."""

    def __init__(self, address: str, server: Address) -> None:
        self._server = server
        self._listening = socket.create_server((address, 0))
        self.port: int = self._listening.getsockname()[1]
        self.open = threading.Event()
        self.open.set()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """End it, and every connection through it."""
        self.open.set()
        with suppress(OSError):
            # Wakes the thread that accepts, which closing alone does not.
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                family = socket.AF_UNIX if isinstance(self._server, str) else socket.AF_INET
                far = socket.socket(family, socket.SOCK_STREAM)
                self._connections += [near, far]
                threading.Thread(target=self._serve, args=(near, far), daemon=True).start()

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, suppress(OSError):
            far.connect(self._server)
            ends = {near: far, far: near}
            while True:
                ready, _, _ = select.select(list(ends), [], [])
                for end in ready:
                    data = end.recv(256 * 1024)
                    if not data:
                        return
                    self.open.wait()
                    ends[end].sendall(data)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
