"""An idle worker holds no library that it may never use; each costs every process of every worker megabytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

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
    "tornado",
    "httpx._main",
    "rich",
    "requests",
    "cryptography.hazmat.bindings._rust",
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
    assert loaded & NEVER == set()


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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_a_pool_process_ends_with_its_worker_and_parses_no_c_for_it() -> None:
    asked = """
import ctypes, sys
import cffi
from celery import platforms
from backend.config.pool_processes import end_with_their_worker
end_with_their_worker()
platforms.set_pdeathsig("SIGKILL")
wanted = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(wanted))
print(wanted.value, "pycparser" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(int(signal.SIGKILL)), "False"]


def test_what_is_left_out_of_a_package_is_there_for_who_asks() -> None:
    asked = """
import sys
from backend.config.lean_imports import import_without
import_without("httpx", absent="httpx._main")
print("rich" in sys.modules)
import httpx._main
print(callable(httpx._main.main))
import_without("httpx", absent="httpx._main")
print("httpx._main" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]
