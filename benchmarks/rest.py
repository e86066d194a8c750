"""Starting runs over HTTP against a bare view that inserts one row, and pages of runs where there are few and many."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from django.db import connection
from django.db.models import Count, DateTimeField
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.services import save_definition
from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.migrate import prepare_database
from backend.cli.stack.preflight import choose_port
from benchmarks import noop
from benchmarks.growth import FEW, MANY, _Chains, _copy_runs
from benchmarks.measure import Row, in_turn, milliseconds, row, until

START_MARK, PAGE_MARK = 3.0, 1.3
PAGES = 60
CLIENTS = 1_000
RUNS = "/api/v1/workflows/executions/"
AGAINST = "bare view, one row"


def measure(folder: Path, *, quick: bool) -> list[Row]:
    """Return what a start costs alone and in a crowd, and what a page costs among many."""
    assert noop.noop.name == "agents.noop"
    prepare_database()
    steps = [{"id": "noops", "type": "three_noops"}]
    save_definition(check_definition({"name": "over-http", "steps": steps}))
    user = User.objects.get(username="operator")
    # Requests are counted in the broker's server, also those that are made in this process.
    with EmbeddedBroker(folder):
        with _web() as url:
            token = str(AccessToken.for_user(user))
            starts = _starts(url, token, pairs=2 if quick else 9, count=5 if quick else 60)
            crowds = _crowds(url, token, clients=50 if quick else CLIENTS, pairs=1 if quick else 3)
        return [*starts, *crowds, *_pages(user, quick=quick)]


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
        until(lambda: _answers(url), pause=0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _starts(url: str, token: str, *, pairs: int, count: int) -> list[Row]:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:

        def post(path: str, body: dict[str, Any]) -> float:
            began = time.perf_counter()
            for _ in range(count):
                assert client.post(path, json=body).status_code == 202
            return (time.perf_counter() - began) / count

        figures = in_turn(
            lambda: post(RUNS, {"workflow": "over-http"}), lambda: post("/bare/", {"a": "row"}), pairs=pairs
        )
    show = _tenths
    return [row("starting a run over HTTP", AGAINST, figures, show=show, better="lower", mark=START_MARK)]


def _crowds(url: str, token: str, *, clients: int, pairs: int) -> list[Row]:
    """Return the 99th percentile of as many clients at once; a start that is refused or lost ends the measurement."""

    def crowd(path: str, body: dict[str, Any]) -> float:
        taken = asyncio.run(_all_at_once(url + path, body, token=token, clients=clients))
        return statistics.quantiles(taken, n=100)[98]

    def ours() -> float:
        before = WorkflowExecution.objects.count()
        p99 = crowd(RUNS, {"workflow": "over-http"})
        assert WorkflowExecution.objects.count() == before + clients
        return p99

    figures = in_turn(ours, lambda: crowd("/bare/", {"a": "row"}), pairs=pairs)
    what = f"{clients:,} clients start a run at once, p99"
    return [row(what, AGAINST, figures, show=milliseconds, better="lower", mark=START_MARK)]


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


def _pages(user: User, *, quick: bool) -> list[Row]:
    """Measure pages in this process: what comes on top of them over HTTP is the same for both sides."""
    many = 5_000 if quick else MANY
    project = Project.objects.create(name="Few among many", slug="few-among-many", owner=_member())
    _forget_runs()
    _Chains().once()
    rows: list[Row] = []
    lists = {
        "": user,
        "&status=failed": user,
        f"&project={project.pk}": user,
        f"&user={user.pk}": user,
        "&workflow=growth": user,
        " of a member": _member(),
    }
    few: dict[str, list[float]] = {}
    for count in (FEW, many):
        _copy_runs(count)
        _spread()
        if count == FEW:
            _set_apart(project)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        for query, reader in lists.items():
            taken, queries = _page(reader, query if query.startswith("&") else "")
            if count == FEW:
                few[query] = taken
                assert queries <= 3, queries
            else:
                rows.append(_page_row(query, many, taken, few[query]))
    _forget_runs()
    return rows


def _forget_runs() -> None:
    """Empty the tables of runs, so that what is measured before and after this has them to itself."""
    for model in (ExecutionEvent, TaskExecution, StepExecution, WorkflowExecution):
        model.objects.all()._raw_delete(connection.alias)


def _spread() -> None:
    """Spread the copies of the one run over a hundred days; a copy has its moment, to the microsecond."""
    moment = WorkflowExecution.objects.values("created_at").annotate(n=Count("pk")).order_by("-n").first()
    assert moment is not None
    if connection.vendor == "sqlite":
        text = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', created_at, '-' || abs(random() %% 8640000) || ' seconds')"
    else:
        text = "created_at - random() * interval '100 days'"
    WorkflowExecution.objects.filter(created_at=moment["created_at"]).update(
        created_at=RawSQL(text, [], DateTimeField())
    )


def _page_row(query: str, many: int, ours: list[float], theirs: list[float]) -> Row:
    ratios = [a / b for a, b in zip(sorted(ours), sorted(theirs), strict=True)]
    narrowed = query.split("=")[0].lstrip("&") if query.startswith("&") else query.strip()
    return Row(
        what=f"a page of 50 of {many:,} runs" + (f", {narrowed}" if narrowed else ""),
        ours=_tenths(statistics.median(ours)),
        against=f"of {FEW:,} runs",
        theirs=_tenths(statistics.median(theirs)),
        # The quicker half: a busy machine only adds to a figure.
        ratio=statistics.median(sorted(ours)[: len(ours) // 2]) / statistics.median(sorted(theirs)[: len(theirs) // 2]),
        spread=(min(ratios), max(ratios)),
        better="lower",
        mark=PAGE_MARK,
    )


def _page(reader: User, query: str) -> tuple[list[float], int]:
    client = APIClient()
    client.force_authenticate(reader)
    address = f"{RUNS}?page_size=50{query}"

    def read() -> Any:
        # The first page, and one that a cursor leads to.
        first = client.get(address, SERVER_NAME="localhost")
        assert first.status_code == 200, first.content
        assert len(first.json()["results"]) == 50, address
        return client.get(first.json()["next"], SERVER_NAME="localhost")

    with CaptureQueriesContext(connection) as queries:
        read()
    return [_seconds(read) / 2 for _ in range(PAGES)], len(queries) // 2


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _member() -> User:
    return User.objects.get_or_create(username="member")[0]


def _set_apart(project: Project) -> None:
    """Give some runs to the project and some to no success; they are the oldest when there are many."""
    ids = list(WorkflowExecution.objects.order_by("created_at", "id").values_list("pk", flat=True)[:300])
    WorkflowExecution.objects.filter(pk__in=ids[:150]).update(project_id=project.pk, project_name=project.slug)
    WorkflowExecution.objects.filter(pk__in=ids[150:]).update(status="failed")


def _tenths(value: float) -> str:
    return f"{value * 1000:,.1f} ms"
