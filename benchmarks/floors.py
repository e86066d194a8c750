"""What HishamOS's documents ask of speed, over REST of a whole installation: web, workers, broker and database.

The other side of each line is what is asked for, so each is to be below 1. Times are the client's, on one machine with
all the rest; of many requests, the 95th percentile.
"""

from __future__ import annotations

import base64
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.measure import Row, seconds_of
from tests.integration.installation import Installation

MANY = 10_000
AT_ONCE = 100
PATIENCE = 300
"""Seconds after which something that does not end ends the measurement."""

TOKEN = """
from datetime import timedelta
from rest_framework_simplejwt.tokens import AccessToken
from backend.apps.authentication.models import User
token = AccessToken.for_user(User.objects.get(username="operator"))
token.set_exp(lifetime=timedelta(hours=2))
answer = str(token)
"""
WORKFLOW: dict[str, Any] = {
    "name": "floor",
    "inputs": {"type": "object", "required": ["structure"], "properties": {"structure": {"type": "object"}}},
    "steps": [{"id": "a", "type": "file_generation", "config": {"structure": "${{ inputs.structure }}"}}],
}


def measure(folder: Path, *, quick: bool) -> list[Row]:
    """Return a line for each figure that is asked for."""
    many, at_once, times = (500, 10, 20) if quick else (MANY, AT_ONCE, 100)
    with _caller(folder / "floors") as api:
        taken = [seconds_of(lambda: api.generated(_tree(100, size=1_000))) for _ in range(times // 10)]
        found = [_row("generate 100 files", taken, asked=5.0)]
        began = time.perf_counter()
        generation = api.generated(_tree(many, size=500))
        found.append(_row(f"generate {many:,} files", [time.perf_counter() - began], asked=0.05 * many))
        found += _requests(api, f"{api.project}generated/{generation}/", many=many, times=times)
        found += _archives(api)
        return [*found, _crowd(api, at_once)]


@dataclass(frozen=True)
class _Api:
    client: httpx.Client
    project: str
    workflow: str

    def get(self, path: str) -> httpx.Response:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer

    def send(self, method: str, path: str, **body: Any) -> Any:
        answer = self.client.request(method, path, **body)
        assert answer.status_code in {200, 201, 202}, answer.text
        return answer.json()

    def generate(self, structure: dict[str, Any]) -> dict[str, Any]:
        """Start a generation and return it."""
        body = {"workflow_id": self.workflow, "input_data": {"structure": structure}}
        return dict(self.send("POST", f"{self.project}generate/", json=body))

    def generated(self, structure: dict[str, Any]) -> str:
        """Start a generation, wait for its run, and return its id."""
        begun = self.generate(structure)
        self.ended(f"workflows/executions/{begun['workflow_execution']}/")
        return str(begun["id"])

    def ended(self, path: str) -> None:
        """Wait until the thing at a path has completed."""
        deadline = time.monotonic() + PATIENCE
        while (said := self.get(path).json())["status"] != "completed":
            assert said["status"] not in {"failed", "cancelled"}, said
            assert time.monotonic() < deadline, said
            time.sleep(0.02)


@contextmanager
def _caller(folder: Path) -> Iterator[_Api]:
    folder.mkdir()
    installation = Installation(folder, DATABASE_URL=os.environ["DATABASE_URL"], REPOMILL_RATE_USER="none")
    info = installation.start()
    try:
        headers = {"Authorization": f"Bearer {installation.django(TOKEN)}"}
        base = f"{info.web_url}/api/v1/"
        with httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=PATIENCE) as client:
            api = _Api(client, "", "")
            project = api.send("POST", "projects/", json={"name": "Floor"})["id"]
            workflow = api.send("POST", "workflows/", json=WORKFLOW)["workflow"]
            yield _Api(client, f"projects/{project}/", workflow)
    finally:
        installation.stop()


def _requests(api: _Api, below: str, *, many: int, times: int) -> Iterator[Row]:
    """Measure single requests, on a project that has a generation of many files."""
    listed = api.get(f"{below}files/?page_size=100&page={many // 200}").json()["results"]
    path, story = listed[50]["file_path"], {"title": "As an agent I want to be quick"}
    wanted: list[tuple[str, Callable[[], object], float]] = [
        ("read a project", lambda: api.get(api.project), 0.2),
        ("read the list of generations", lambda: api.get(f"{api.project}generated/"), 0.2),
        ("read the list of runs", lambda: api.get("workflows/executions/"), 0.2),
        (f"a page of 100 of {many:,} files", lambda: api.get(f"{below}files/?page_size=100&page={many // 200}"), 0.5),
        (f"{many:,} files by type", lambda: api.get(f"{below}files/?file_type=python&page_size=100"), 0.5),
        (f"a generation of {many:,} files", lambda: api.get(below), 0.5),
        ("a file's content, of as many", lambda: api.get(f"{below}files/content/?path={path}"), 0.2),
        ("write a story", lambda: api.send("POST", f"{api.project}stories/", json=story), 0.5),
        ("write a file", lambda: api.send("PUT", f"{api.project}files/content/?path=a/b.txt", content=b"x"), 0.5),
        ("start a run", lambda: api.generate(_tree(1, size=10)), 0.5),
    ]
    for what, request, asked in wanted:
        request()
        taken = [seconds_of(request) for _ in range(times)]
        yield _row(f"{what}, p95", taken, asked=asked)


def _archives(api: _Api) -> Iterator[Row]:
    """Measure how 100 files with 10 MB become an archive that is downloaded."""
    generation = api.generated(_tree(100, size=100_000))
    for kind in ("zip", "tar"):
        began = time.perf_counter()
        export = api.send("POST", f"{api.project}generated/{generation}/export/", json={"export_type": kind})["id"]
        api.ended(f"exports/{export}/")
        yield _row(f"{kind} of 100 files and 10 MB", [time.perf_counter() - began], asked=10.0)
    taken = [seconds_of(lambda: api.get(f"exports/{export}/download/")) for _ in range(10)]
    yield _row("download of 10 MB, p95", taken, asked=1.0)


def _crowd(api: _Api, at_once: int) -> Row:
    """Measure many generations that are started together against as many one after the other."""
    structure = _tree(10, size=1_000)
    single = statistics.median(seconds_of(lambda: api.generated(structure)) for _ in range(10))
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        made = list(pool.map(lambda _: api.generate(structure), range(at_once)))
    # One question at a time: a hundred who ask all the while would measure themselves.
    for begun in made:
        api.ended(f"workflows/executions/{begun['workflow_execution']}/")
    taken = (time.perf_counter() - began) / at_once
    assert len({begun["id"] for begun in made}) == at_once
    return _row(f"{at_once} generations of 10 files at once, each", [taken], asked=single, against="one alone")


def _tree(count: int, *, size: int) -> dict[str, Any]:
    """Return a structure of so many files in packages of a hundred. size: characters of each, which pack badly."""
    text = base64.b64encode(os.urandom(size)).decode()[: size - 1]
    files = {f"m{number}.py": f"{text[number % 7 :]}\n" for number in range(count)}
    names = list(files)
    return {f"package{at // 100}": {name: files[name] for name in names[at : at + 100]} for at in range(0, count, 100)}


def _row(what: str, taken: list[float], *, asked: float, against: str = "asked for") -> Row:
    p95 = statistics.quantiles(taken, n=20, method="inclusive")[18] if len(taken) > 1 else taken[0]
    return Row(
        what=what,
        ours=f"{p95 * 1000:,.0f} ms",
        against=against,
        theirs=f"{asked * 1000:,.0f} ms",
        ratio=p95 / asked,
        spread=(min(taken) / asked, max(taken) / asked),
        better="lower",
        mark=1.0,
    )
