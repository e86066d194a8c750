"""An idle worker holds no library that it may never use; each costs every process of every worker megabytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from backend.config.environment import ROOT

LOAD = """
import json, sys
import celery.apps.worker, celery.concurrency.prefork
from backend.config.celery import app
app.loader.import_default_modules()
print(json.dumps(sorted(sys.modules)))
"""
NEVER = {
    "github",
    "gitlab",
    "prompt_toolkit",
    "rest_framework.exceptions",
    "drf_spectacular.utils",
    "backend.config.urls",
}


def test_it_loads_neither_the_api_nor_the_clients_of_hosts() -> None:
    # An importing test session has set it here already; a worker's shell has not.
    variables = {name: value for name, value in os.environ.items() if name != "CELERY_SKIP_CHECKS"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "workers.export.tasks" in loaded
    assert not loaded & NEVER
