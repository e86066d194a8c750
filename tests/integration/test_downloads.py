"""Downloads from the web process as it is deployed: in flight while the archive is replaced, slow, and large."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.api.sending import PIECE
from tests.integration.web_process import WebProcess

pytestmark = pytest.mark.integration

SIZE = 64 * 1024 * 1024
SLOW_READERS = 40

MAKE = """
import hashlib, os
from pathlib import Path
from django.conf import settings
from backend.apps.authentication.models import User
from backend.apps.authentication.services.jwt_service import jwt_service
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import Archive, GeneratedProject, Project
user = User.objects.create_user("ada")
project = Project.objects.create(name="Mill", slug="mill", owner=user)
generation = GeneratedProject.objects.create(project=project, created_by=user, status="completed", commit="c" * 40)
path = Path(settings.ARCHIVES_DIR) / "mill.zip"
path.parent.mkdir(parents=True, exist_ok=True)
digest = hashlib.sha256()
with path.open("wb") as file:
    for _ in range(SIZE >> 20):
        piece = os.urandom(1 << 20)
        digest.update(piece)
        file.write(piece)
archive = Archive.objects.create(generated_project=generation, format="zip", path="mill.zip", commit="c" * 40,
                                 size=SIZE, digest=digest.hexdigest())
export = RepositoryExport.objects.create(key="k", generated_project=generation, export_type="zip", created_by=user,
                                         status="completed", commit="c" * 40, archive_path=str(path), archive_size=SIZE)
answer = {"token": jwt_service.generate_token(user), "export": str(export.pk)}
answer |= {"path": str(path), "digest": digest.hexdigest()}
"""


class Served:
    """An archive of random bytes, served by a web process of its own."""

    def __init__(self, folder: Path) -> None:
        self.web = WebProcess(folder, signing_key="s" * 64)
        try:
            made = self.web.django(f"SIZE = {SIZE}\n{MAKE}")
        except BaseException:
            self.web.stop()
            raise
        self.path, self.digest = Path(made["path"]), made["digest"]
        self.url = f"/api/v1/exports/{made['export']}/download/"
        self.headers = {"Authorization": f"Bearer {made['token']}"}
        self.client = httpx.Client(base_url=self.web.origin, headers=self.headers, timeout=60)

    def status(self, name: str) -> int:
        """Return a number of the process's status: threads, or KiB of memory."""
        lines = Path(f"/proc/{self.web.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])

    def open_files(self) -> int:
        """Return how often the process has the archive open, whatever its name is now."""
        folder = Path(f"/proc/{self.web.process.pid}/fd")
        targets = [os.readlink(each) for each in folder.iterdir() if each.is_symlink()]
        return sum("mill.zip" in target for target in targets)

    def slow_reader(self) -> socket.socket:
        """Ask for the archive and read no more than the beginning of the answer."""
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", self.web.port))
        lines = [f"GET {self.url} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in self.headers.items())]
        reader.sendall("\r\n".join([*lines, "", ""]).encode())
        assert reader.recv(12) == b"HTTP/1.1 200"
        return reader


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("web"))
    yield served
    served.client.close()
    served.web.stop()


def until(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_it_arrives_whole_and_costs_no_memory(served: Served) -> None:
    served.client.get(served.url, headers={"Range": "bytes=0-0"})
    before = served.status("VmHWM")
    digest = hashlib.sha256()
    with served.client.stream("GET", served.url) as answer:
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(SIZE))
        for part in answer.iter_bytes():
            digest.update(part)
    assert digest.hexdigest() == served.digest == answer.headers["ETag"].strip('"')
    # An eighth of the archive would be much already.
    assert served.status("VmHWM") - before < SIZE // 8 // 1024
    until(lambda: served.open_files() == 0)


def test_head_and_ranges_on_one_connection(served: Served) -> None:
    head = served.client.head(served.url)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(SIZE), b"")
    part = served.client.get(served.url, headers={"Range": f"bytes={SIZE - 5}-"})
    assert (part.status_code, part.headers["Content-Range"]) == (206, f"bytes {SIZE - 5}-{SIZE - 1}/{SIZE}")
    with served.path.open("rb") as file:
        file.seek(-5, os.SEEK_END)
        assert part.content == file.read()
    several = served.client.get(served.url, headers={"Range": "bytes=0-1,10-19"})
    assert len(several.content) == int(several.headers["Content-Length"])
    assert served.client.get(served.url, headers={"If-None-Match": head.headers["ETag"]}).status_code == 304
    assert served.client.get(served.url, headers={"Range": f"bytes={SIZE}-"}).status_code == 416


def test_one_in_flight_delivers_the_old_archive_whole(served: Served) -> None:
    kept = served.path.with_name("kept")
    os.link(served.path, kept)
    digest = hashlib.sha256()
    with served.client.stream("GET", served.url) as answer:
        parts = answer.iter_bytes(64 * 1024)
        digest.update(next(parts))
        new = served.path.with_name("new")
        new.write_bytes(b"x" * SIZE)
        new.replace(served.path)
        for part in parts:
            digest.update(part)
    kept.replace(served.path)
    assert digest.hexdigest() == served.digest


def test_slow_readers_hold_no_threads_and_little_memory(served: Served) -> None:
    threads, memory = served.status("Threads"), served.status("VmRSS")
    readers = [served.slow_reader() for _ in range(SLOW_READERS)]
    try:
        assert served.open_files() == SLOW_READERS
        # Requests and reads share a few threads, however many readers wait.
        assert served.status("Threads") - threads < SLOW_READERS // 2
        # One piece is on its way and the next has been read; the third is for the connection, and for measuring.
        assert served.status("VmRSS") - memory < SLOW_READERS * 3 * PIECE / 1024
        # Others are served as before.
        assert served.client.get(served.url, headers={"Range": "bytes=0-9"}).status_code == 206
    finally:
        for reader in readers:
            reader.close()
    until(lambda: served.open_files() == 0)


def test_a_link_needs_no_token(served: Served) -> None:
    made = served.client.post(served.url.replace("download", "link"), json={"seconds": 60})
    assert made.status_code == 201
    answer = httpx.get(made.json()["url"], headers={"Range": "bytes=0-9"})
    assert (answer.status_code, len(answer.content)) == (206, 10)
