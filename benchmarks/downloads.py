"""Downloading one large archive from the web process, and from nginx with the same file: speed, and memory.

Both sides send over this machine's own network to one and the same reader, which throws the bytes away.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.measure import Row, Skipped, in_turn, row
from tests.integration.web_process import WebProcess

GIB = 1024**3
READ = 1024 * 1024
SHARE_OF_NGINX = 0.25
AS_NGINX = 0.9
MOST_GROWTH = 32e6
"""Bytes by which the web process may grow while it sends, whatever the size of the archive."""

MAKE = """
import os
from pathlib import Path
from django.conf import settings
from backend.apps.authentication.models import User
from backend.apps.authentication.services.jwt_service import jwt_service
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import Archive, GeneratedProject, Project
user = User.objects.create_user("ada")
project = Project.objects.create(name="Mill", slug="mill", owner=user)
commit = "c" * 40
generation = GeneratedProject.objects.create(project=project, created_by=user, status="completed", commit=commit)
path = Path(settings.ARCHIVES_DIR) / "mill.zip"
path.parent.mkdir(parents=True, exist_ok=True)
with path.open("wb") as file:
    for _ in range(SIZE >> 20):
        file.write(os.urandom(1 << 20))
of = {"generated_project": generation, "commit": commit}
Archive.objects.create(format="zip", path="mill.zip", size=SIZE, digest="0" * 64, **of)
export = RepositoryExport.objects.create(key="k", export_type="zip", created_by=user, status="completed", **of)
answer = {"token": jwt_service.generate_token(user), "export": str(export.pk), "folder": str(path.parent)}
"""

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; {user} pid nginx.pid; error_log stderr crit;
events {{ }}
http {{
  access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{
    listen 127.0.0.1:{port};
    location /plain/ {{ alias {folder}/; }}
    location /_archives/ {{ internal; alias {folder}/; }}
    location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_set_header Host 127.0.0.1; }}
  }}
}}
"""


def measure(folder: Path, *, quick: bool) -> list[Row | Skipped]:
    """Return lines for the speed of both ways to send an archive, and for the web process's memory."""
    size = GIB // 16 if quick else GIB
    scratch = Path(tempfile.mkdtemp(dir=folder))
    found: list[Row | Skipped] = []
    with ExitStack() as stack:
        web = stack.enter_context(_web(scratch / "own"))
        made = web.django(f"SIZE = {size}\n{MAKE}")
        path, headers = f"/api/v1/exports/{made['export']}/download/", {"Authorization": f"Bearer {made['token']}"}

        def own() -> float:
            return _speed(web.port, path, headers, size)

        own()
        before = _memory(web)
        own()
        found.append(_growth(before, _memory(web), size))
        if (program := shutil.which("nginx")) is None:
            return [*found, Skipped("downloads against nginx", "nginx is not installed (Debian: apt install nginx)")]
        told = stack.enter_context(_web(scratch / "own", REPOMILL_ARCHIVES_SENT_BY="web-server"))
        port = stack.enter_context(_nginx(program, scratch / "nginx", archives=made["folder"], upstream=told.port))

        def plain() -> float:
            return _speed(port, "/plain/mill.zip", {}, size)

        pairs = 2 if quick else 5
        for what, ours, mark in (
            ("sent by Repomill", own, SHARE_OF_NGINX),
            ("sent by X-Accel-Redirect", lambda: _speed(port, path, headers, size), AS_NGINX),
        ):
            figures = in_turn(ours, plain, pairs=pairs)
            label = f"archive of {size / 1e9:.2f} GB, {what}"
            found.append(row(label, "nginx, a file", figures, show=_megabytes, better="higher", mark=mark))
    shutil.rmtree(scratch)
    return found


@contextmanager
def _web(data_dir: Path, **variables: str) -> Iterator[WebProcess]:
    data_dir.mkdir(parents=True, exist_ok=True)
    # Measurements may take longer than a token is good for; the second process serves the same data.
    web = WebProcess(data_dir, signing_key="s" * 64, **variables)
    try:
        yield web
    finally:
        web.stop()


@contextmanager
def _nginx(program: str, folder: Path, *, archives: str, upstream: int) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    folder.mkdir()
    # Started by root it would read as nobody, who may not enter a temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(user=user, port=port, folder=archives, upstream=upstream))
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(configuration), "-e", "stderr"])
    try:
        _until_it_listens(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _until_it_listens(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("nginx does not listen")


def _speed(port: int, path: str, headers: dict[str, str], size: int) -> float:
    """Return how many bytes a second arrive. Raises RuntimeError where not all of them do."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *(f"{k}: {v}" for k, v in headers.items())]
    buffer = bytearray(READ)
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode("latin-1"))
        arrived = 0
        while count := connection.recv_into(buffer):
            arrived += count
    if arrived != size:
        raise RuntimeError(f"{arrived} of {size} bytes arrived")
    return size / (time.perf_counter() - began)


def _memory(web: WebProcess) -> int:
    """Return the peak of the process's memory in bytes."""
    lines = Path(f"/proc/{web.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024


def _growth(before: int, after: int, size: int) -> Row:
    grown = after - before
    return Row(
        what=f"the web process grows while it sends {size / 1e9:.2f} GB",
        ours=f"{grown / 1e6:.1f} MB",
        against="what it may",
        theirs=f"{MOST_GROWTH / 1e6:.0f} MB",
        ratio=grown / MOST_GROWTH,
        spread=(grown / MOST_GROWTH, grown / MOST_GROWTH),
        better="lower",
        mark=1.0,
    )


def _megabytes(value: float) -> str:
    return f"{value / 1e6:,.0f} MB/s"
