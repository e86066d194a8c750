"""The commands of an installation that runs each process by itself, as docker-compose.yml does."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.cli.stack.preflight import choose_port
from backend.cli.stack.ready import answers
from tests.integration.installation import ROOT, Installation

pytestmark = pytest.mark.integration


def test_migrate_then_flower(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`migrate` makes database and operator, a second one changes nothing, and Flower asks for a password."""
    installation = Installation(tmp_path_factory.mktemp("one"))
    first = installation.cli("migrate")
    assert "migrations applied." in first
    assert f"operator; the password is in {installation.data_dir / 'secrets' / 'operator_password'}" in first
    assert "The database is up to date." in installation.cli("migrate")

    port = choose_port(0, option="--port")
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.cli", "flower", "--port", str(port)],
        cwd=ROOT,
        env=installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not answers(f"http://127.0.0.1:{port}/flower/healthcheck"):
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not answers(f"http://127.0.0.1:{port}/flower/api/workers")
    password = (installation.data_dir / "secrets" / "operator_password").read_text().strip()
    assert password.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
