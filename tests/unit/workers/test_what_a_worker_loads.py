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
from backend.config.celery_program import app
app.loader.import_default_modules()
print(json.dumps(sorted(sys.modules)))
"""
NEVER = {
    "github",
    "gitlab",
    "prompt_toolkit",
    "click_repl",
    "flower",
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


def test_its_program_takes_celery_options_and_says_what_it_knows() -> None:
    program = [sys.executable, "-m", "backend.config.celery_program"]
    told = [
        subprocess.run([*program, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        for words in (["worker", "--no-such-option"], ["beet"], [])
    ]
    assert [done.returncode for done in told] == [2, 2, 2]
    assert "--no-such-option" in told[0].stderr
    assert [done.stderr for done in told[1:]] == [
        "usage: python -m backend.config.celery_program {worker,beat} [OPTIONS]\n"
    ] * 2


def test_what_is_loaded_is_out_of_the_collectors_way_when_a_pool_process_is_made() -> None:
    frozen = (
        "import gc\nfrom celery.signals import worker_before_create_process as made\n"
        "import backend.config.celery\nmade.send(sender=None)\nprint(gc.get_freeze_count())"
    )
    done = subprocess.run([sys.executable, "-c", frozen], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 10_000
