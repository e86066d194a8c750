"""The whole OpenAPI document against the real web process: no operation answers 500, and none outside the document.

Requests are made from the document by schemathesis: its examples, every boundary of every field, things of the wrong
kind, random ones, and sequences in which a later request uses what an earlier one has made. `make test` makes a few of
each, `make fuzz` many. A failure shows the request as a command line, and the seed repeats it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.fuzzing import followed
from tests.integration.web_process import ROOT, WebProcess

pytestmark = pytest.mark.integration

EXAMPLES = "REPOMILL_FUZZ_EXAMPLES"
"""How many random requests are made for each operation."""
SEED = "REPOMILL_FUZZ_SEED"
BOUNDED = 2
"""Random requests for each operation in `make test`."""
SHARE = "8"
"""Of so many wrong values at a boundary `make test` sends one; `make fuzz` sends all."""
SEQUENCES, OTHERS = "stateful", "examples,coverage,fuzzing"
SCENARIOS, STEPS = 40, 24
"""How many sequences of requests are made at most, and how long one is."""
MOST_ROUNDS = 40
"""`make fuzz` makes so many sets of them until each link has been followed: one set ends long before it has."""
LEAST_TRANSITIONS, LEAST_LINKS = 100, 60
"""What `make test` follows at least, of about 200 transitions along 95 of 163 links."""
NO_ARCHIVES = "/files/archive/"
"""It makes no archives; tests/unit/projects/test_api_archives.py does, hostile ones above all."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SETTINGS = """
hooks = "tests.integration.fuzzing.hooks"
headers = {{ Authorization = "Bearer {token}" }}
[phases.stateful]
max-steps = {steps}
link-calibration = false
[phases.stateful.generation]
max-examples = {scenarios}
[phases.stateful.inference]
# Only what the document says itself.
algorithms = []
"""
PEOPLE = """
from datetime import timedelta
from rest_framework_simplejwt.tokens import AccessToken
from backend.apps.authentication.models import User
from backend.apps.projects.models import GeneratedProject, Project
from backend.apps.projects.services.generations import generate
user = User.objects.create_user("fuzzer", password="correct horse battery")
others = [User.objects.create_user(f"other-{n}", password="correct horse battery") for n in range(8)]
project = Project.objects.create(name="Fuzz", slug="fuzz", owner=user)
generate(project=project, user=user, execution_id=None, readme="# Fuzz")
token = AccessToken.for_user(user)
token.set_exp(lifetime=timedelta(hours=12))
generation = {"project_id": str(project.pk), "generation_id": str(GeneratedProject.objects.get().pk)}
answer = [str(token), [generation, *({"other_id": str(other.pk)} for other in others)]]
"""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebProcess]:
    process = WebProcess(tmp_path / "data", signing_key="k" * 64)
    try:
        yield process
    finally:
        process.stop()


def test_every_operation_answers_as_the_document_says(web: WebProcess, tmp_path: Path) -> None:
    examples = int(os.environ.get(EXAMPLES) or BOUNDED)
    asked = httpx.get(f"{web.origin}/api/schema/", headers={"Accept": "application/json"}, trust_env=False, timeout=60)
    document = asked.raise_for_status().json()
    token, known = web.django(PEOPLE)
    (tmp_path / "known.json").write_text(json.dumps(known), "utf-8")
    settings = SETTINGS.format(token=token, scenarios=SCENARIOS, steps=STEPS)
    # In a file, as a secret is given: a header on the command line would stand in the list of processes.
    (tmp_path / "schemathesis.toml").write_text(settings, "utf-8")
    # Sequences first: the others remove what these begin with.
    links = followed.links_of(document, without=NO_ARCHIVES)
    runs, found = follow(web, tmp_path, links=links, rounds=1 if examples == BOUNDED else MOST_ROUNDS)
    runs.append(fuzz(web, tmp_path, examples=examples, phases=OTHERS))
    web.stop()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    sys.stdout.write("\n".join([*(run.stdout for run in runs), found.table(), ""]))
    sys.stdout.write(f"{spent.ru_utime + spent.ru_stime:.0f} s of processor\n")
    for run in runs:
        assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
        assert " 0 passed" not in run.stdout
    # A link that schemathesis names in another way would be one that is never followed.
    assert set(found.times) <= found.links
    assert found.times.total() >= LEAST_TRANSITIONS, found.table()
    assert len(found.times) >= LEAST_LINKS, found.table()
    if examples > BOUNDED:
        assert found.never == []


def follow(
    web: WebProcess, folder: Path, *, links: frozenset[str], rounds: int
) -> tuple[list[subprocess.CompletedProcess[str]], followed.Followed]:
    """Make sequences of requests, with another seed in each round, until every link has been followed."""
    runs: list[subprocess.CompletedProcess[str]] = []
    reports: list[Path] = []
    found = followed.Followed(links)
    while len(runs) < rounds and found.never:
        runs.append(fuzz(web, folder, examples=BOUNDED, phases=SEQUENCES, more=len(runs)))
        reports.append((folder / f"{SEQUENCES}.ndjson").rename(folder / f"{SEQUENCES}-{len(runs)}.ndjson"))
        found = followed.read(reports, links=links)
    return runs, found


def fuzz(
    web: WebProcess, folder: Path, *, examples: int, phases: str, more: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run phases of schemathesis over the whole document, with the settings in the folder and its report there.

    more: is added to the seed.
    """
    seed = str(int(os.environ.get(SEED) or "1") + more)
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run"),
            f"{web.origin}/api/schema/",
            *("--phases", phases, "--checks", ",".join(CHECKS)),
            *("--max-examples", str(examples), "--seed", seed),
            *("--generation-database", "none", "--suppress-health-check", "all", "--continue-on-failure"),
            *("--request-timeout", "60", "--warnings", "off", "--exclude-path-regex", f"{NO_ARCHIVES}$"),
            *("--report", "ndjson", "--report-ndjson-path", str(folder / f"{phases}.ndjson")),
        ],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "REPOMILL_FUZZ_KNOWN": str(folder / "known.json"),
            "REPOMILL_FUZZ_SEED": seed,
            "REPOMILL_FUZZ_SHARE": SHARE if examples == BOUNDED else "1",
        },
        capture_output=True,
        text=True,
    )
