"""The whole OpenAPI document against the real web process: no operation answers 500, and none outside the document.

Requests are made from the document by schemathesis: its examples, every boundary of every field, things of the wrong
kind, random ones, and sequences in which a later request uses what an earlier one has made. `make test` makes a few of
each, `make fuzz` many. A failure shows the request as a command line, and the seed repeats it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.web_process import WebProcess

pytestmark = pytest.mark.integration

SCENARIOS = 40
"""How many sequences of requests are made at least. Each goes from what it has made to what can be done with it."""
EXAMPLES = "REPOMILL_FUZZ_EXAMPLES"
"""How many random requests are made for each operation."""
SEED = "REPOMILL_FUZZ_SEED"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SETTINGS = """
headers = {{ Authorization = "Bearer {token}" }}
[phases.stateful]
max-steps = 8
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
user = User.objects.create_user("fuzzer", password="correct horse battery")
User.objects.create_user("other", password="correct horse battery")
token = AccessToken.for_user(user)
token.set_exp(lifetime=timedelta(hours=12))
answer = str(token)
"""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebProcess]:
    process = WebProcess(tmp_path / "data", signing_key="k" * 64)
    try:
        yield process
    finally:
        process.stop()


def test_every_operation_answers_as_the_document_says(web: WebProcess, tmp_path: Path) -> None:
    examples = int(os.environ.get(EXAMPLES) or "2")
    settings = tmp_path / "schemathesis.toml"
    # In a file, as a secret is given: a header on the command line would stand in the list of processes.
    settings.write_text(SETTINGS.format(token=web.django(PEOPLE), scenarios=max(SCENARIOS, examples)), "utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run"),
            f"{web.origin}/api/schema/",
            *("--checks", ",".join(CHECKS)),
            *("--max-examples", str(examples), "--seed", os.environ.get(SEED) or "1"),
            *("--generation-database", "none", "--suppress-health-check", "all", "--continue-on-failure"),
            *("--request-timeout", "60", "--warnings", "off"),
            # It makes no archives; tests/unit/projects/test_api_archives.py does, hostile ones above all.
            *("--exclude-path-regex", "/files/archive/$"),
        ],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert " 0 passed" not in done.stdout
    assert re.search(r"\d+ covered / [1-9]\d* selected", done.stdout), done.stdout[-5000:]
