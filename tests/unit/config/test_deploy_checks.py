"""Django's checks for a deployment find nothing where browsers come by https."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.cli.checks.base import State
from backend.cli.checks.database import judge_sqlite
from backend.config.environment import ROOT

FOREIGN = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")


@pytest.mark.parametrize(("variables", "code"), [({"REPOMILL_WEB_URL": "https://repomill.example.org"}, 0), ({}, 1)])
def test_check_deploy(tmp_path: Path, variables: dict[str, str], code: int) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    environment = kept | {"REPOMILL_DATA_DIR": str(tmp_path), "REPOMILL_PROXIES": "1"} | variables
    environment["DJANGO_SETTINGS_MODULE"] = "backend.config.settings.base"
    done = subprocess.run(
        [sys.executable, "-m", "backend.manage", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stderr


@pytest.mark.parametrize(
    ("version", "state"), [((3, 34, 1), State.PROBLEM), ((3, 35, 0), State.OK), ((3, 40, 1), State.OK)]
)
def test_an_sqlite_that_cannot_claim_is_told(version: tuple[int, ...], state: State) -> None:
    assert judge_sqlite(version).state is state
