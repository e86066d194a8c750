"""Starting runs over HTTP against bare views that insert one row: one client alone, and a thousand at once."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from rest_framework_simplejwt.tokens import AccessToken

from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import WorkflowExecution
from backend.apps.workflows.services import save_definition
from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.migrate import prepare_database
from backend.cli.stack.preflight import choose_port
from benchmarks import noop
from benchmarks.chain import worker
from benchmarks.measure import Row, in_turn, milliseconds, row, until

MARK = 3.0
CLIENTS = 1_000
PATIENCE = 60
"""Seconds in which the web process must be up, and in which it must answer."""
RUNS = "/api/v1/workflows/executions/"
# The first asks for a token and counts the request, as every view of the API does; the second asks for nothing.
VIEWS = {"a view, one row": "/bare/", "the same, for everybody": "/open/"}


def measure(folder: Path, *, quick: bool) -> list[Row]:
    """Return what a start costs alone and in a crowd."""
    assert noop.noop.name == "agents.noop"
    prepare_database()
    steps = [{"id": "noops", "type": "three_noops"}]
    save_definition(check_definition({"name": "over-http", "steps": steps}))
    user = User.objects.get(username="operator")
    clients = 50 if quick else CLIENTS
    with EmbeddedBroker(folder), _web() as url:
        # Minted with the settings of this process, in which a token lives for minutes.
        lasting = AccessToken.for_user(user)
        lasting.set_exp(lifetime=timedelta(hours=1))
        token = str(lasting)
        starts = _starts(url, token, pairs=2 if quick else 5, count=5 if quick else 60)
        alone = _crowds(url, token, clients=clients, pairs=1)
        with worker("backend.config.celery", "agents"):
            until(_all_ended, pause=0.5)
            return [*starts, alone, _crowds(url, token, clients=clients, pairs=1, worked_at=True)]


@contextmanager
def _web() -> Iterator[str]:
    """Run the web process as `repomill up` does, with the bare view beside the API."""
    port = choose_port(0, option="--port")
    options = ["--lifespan=off", "--http=h11", "--ws=none", "--loop=asyncio", "--no-access-log", "--backlog=4096"]
    # The step type of the measurement is registered there too.
    code = "import sys, django; django.setup(); import benchmarks.noop; import uvicorn; sys.exit(uvicorn.main())"
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            code,
            "backend.config.asgi:application",
            f"--port={port}",
            "--log-level=error",
            *options,
        ],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "benchmarks.rest_settings"},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(url):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the web process did not start")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _starts(url: str, token: str, *, pairs: int, count: int) -> list[Row]:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=PATIENCE) as client:

        def post(path: str, body: dict[str, Any]) -> float:
            began = time.perf_counter()
            for _ in range(count):
                assert client.post(path, json=body).status_code == 202
            return (time.perf_counter() - began) / count

        def against(path: str) -> tuple[list[float], list[float], list[float]]:
            return in_turn(lambda: post(RUNS, {"workflow": "over-http"}), lambda: post(path, {"a": "row"}), pairs=pairs)

        return [
            row("starting a run over HTTP", view, against(path), show=_tenths, better="lower", mark=MARK)
            for view, path in VIEWS.items()
        ]


def _crowds(url: str, token: str, *, clients: int, pairs: int, worked_at: bool = False) -> Row:
    """Return the 99th percentile of as many clients at once; a start that is refused or lost ends the measurement.

    worked_at: a worker takes up what is started at the same time, and finishes all of it.
    """

    def crowd(path: str, body: dict[str, Any]) -> float:
        taken = asyncio.run(_all_at_once(url + path, body, token=token, clients=clients))
        return statistics.quantiles(taken, n=100)[98]

    def ours() -> float:
        before = WorkflowExecution.objects.count()
        p99 = crowd(RUNS, {"workflow": "over-http"})
        assert WorkflowExecution.objects.count() == before + clients
        if worked_at:
            until(_all_ended, pause=0.5)
        return p99

    view, path = next(iter(VIEWS.items()))
    figures = in_turn(ours, lambda: crowd(path, {"a": "row"}), pairs=pairs)
    what = f"{clients:,} clients start a run at once, p99" + (", with a worker" if worked_at else "")
    # The other side has no worker to share the machine with, so there is no mark for that.
    return row(what, view, figures, show=milliseconds, better="lower", mark=None if worked_at else MARK)


def _all_ended() -> bool:
    return not WorkflowExecution.objects.exclude(status="completed").exists()


async def _all_at_once(url: str, body: dict[str, Any], *, token: str, clients: int) -> list[float]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(limits=limits, headers=headers, trust_env=False, timeout=120) as client:

        async def one() -> float:
            began = time.perf_counter()
            answer = await client.post(url, json=body)
            assert answer.status_code == 202, answer.text
            return time.perf_counter() - began

        return await asyncio.gather(*(one() for _ in range(clients)))


def _tenths(value: float) -> str:
    return f"{value * 1000:,.1f} ms"
