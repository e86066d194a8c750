"""Looks on while an installation works: at what its broker is sent, at all processes, and at what it leaves behind."""

from __future__ import annotations

import base64
import gzip
import json
import re
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.request
import zipfile
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.canaries import spellings_in
from tests.integration.installation import Installation

BODY = re.compile(rb"[A-Za-z0-9+/]{60,}={0,2}")
JWT = re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.")


class Monitor:
    """`redis-cli monitor`: every command that the broker is given."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._socket.sendall(b"MONITOR\r\n")
        self.seen = b""
        self._parts: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read(self) -> None:
        while part := self._socket.recv(1 << 16):
            self._parts.append(part)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()
        self.seen = b"".join(self._parts)


def decoded(seen: bytes) -> bytes:
    """Return the message bodies, which Celery sends as base64."""
    return b"\n".join(base64.b64decode(body + b"=" * (-len(body) % 4)) for body in BODY.findall(seen))


class Processes:
    """Reads, again and again, the command line and the environment of every process of this machine."""

    def __init__(self, tokens: Collection[str], *, every: float = 0.02) -> None:
        self.found: set[str] = set()
        self.looks = 0
        self._tokens = tokens
        self._every = every
        self._known: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(10)

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            self.look()

    def look(self) -> None:
        self.looks += 1
        for process in Path("/proc").glob("[0-9]*"):
            for what in ("cmdline", "environ"):
                # A process may end while it is looked at.
                with suppress(OSError):
                    said = (process / what).read_bytes()
                    if said not in self._known:
                        self._known.add(said)
                        self.found |= {f"{what}: {spelling}" for spelling in spellings_in(said, self._tokens)}


def files_of(installation: Installation) -> Iterator[tuple[str, bytes]]:
    """Yield every file of an installation but its own secrets, with what is packed in it."""
    secrets = installation.data_dir / "secrets"
    for path in sorted(installation.data_dir.rglob("*")):
        if path.is_symlink() or path.is_relative_to(secrets) or not path.is_file():
            continue
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        yield str(path), content
        if content[:2] == b"\x1f\x8b":
            yield f"{path}, unpacked", gzip.decompress(content)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield f"{path}, unpacked", b"\n".join(archive.read(name) for name in archive.namelist())


def objects_of(stores: Path) -> Iterator[tuple[str, bytes]]:
    """Yield all objects, names and settings of the git stores and bare repositories below a folder."""
    for head in stores.rglob("HEAD"):
        if (head.parent / "objects").is_dir():
            command = ["git", "--git-dir", str(head.parent), "cat-file", "--batch-all-objects", "--batch"]
            yield str(head.parent), subprocess.run(command, check=True, capture_output=True).stdout


def rows_of(database: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each table of a SQLite database as text; bytes as hex, base64 and as they are."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            shown = []
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    raw = value if isinstance(value, bytes) else str(value).encode()
                    shown += [raw, raw.hex().encode(), base64.b64encode(raw)] if isinstance(value, bytes) else [raw]
            yield f"table {table}", b"\n".join(shown)


def flower_pages(installation: Installation, flower_url: str) -> Iterator[tuple[str, bytes]]:
    """Yield what Flower tells an operator."""
    password = (installation.data_dir / "secrets" / "operator_password").read_text().strip()
    authorization = "Basic " + base64.b64encode(f"operator:{password}".encode()).decode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for page in ("api/tasks?limit=1000", "api/workers?refresh=1", "tasks", "workers"):
        request = urllib.request.Request(flower_url + page, headers={"Authorization": authorization})
        with opener.open(request, timeout=20) as answer:
            yield f"Flower, {page}", answer.read()


def flower_tasks(installation: Installation, flower_url: str, *, at_least: int) -> bytes:
    """Return Flower's list of tasks once it knows that many."""
    deadline = time.monotonic() + 20
    while True:
        pages = dict(flower_pages(installation, flower_url))
        tasks = pages["Flower, api/tasks?limit=1000"]
        if len(json.loads(tasks)) >= at_least or time.monotonic() > deadline:
            return b"\n".join(pages.values())
        time.sleep(0.2)
