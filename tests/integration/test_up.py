"""`repomill up` as a person runs it: it comes up, says where, and leaves nobody behind however it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from backend.cli.errors import ProcessDied
from backend.cli.stack.background import background_stack
from backend.cli.stack.lock import running_stack
from backend.cli.stack.restarts import MOST_ENDS
from tests.integration.installation import ROOT, Installation, NewInstallation

pytestmark = pytest.mark.integration
EXAMPLE = str(ROOT / "examples" / "publish-service" / "workflow.yaml")


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that has never been started."""
    it = NewInstallation(tmp_path_factory.mktemp("up"))
    yield it
    it.stop()


def processes_of(data_dir: Path) -> set[int]:
    """Return every living process that was started for a data folder; a fork shows its parent's environment."""
    marker = os.fsencode(str(data_dir))
    found = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            told = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if marker in told and not zombie:
            found.add(int(folder.name))
    return found


def named(installation: Installation, name: str) -> list[int]:
    """Return the living main processes of a role, by what `ps -o comm` shows."""
    found = []
    for pid in processes_of(installation.data_dir):
        with suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/comm").read_text() == f"{name}\n":
                found.append(pid)
    return found


def wait_until_gone(data_dir: Path, *, patience: float) -> None:
    deadline = time.monotonic() + patience
    while processes_of(data_dir):
        assert time.monotonic() < deadline, f"still there: {processes_of(data_dir)}"
        time.sleep(0.05)


def status_of(url: str, password: str | None = None) -> int:
    request = urllib.request.Request(url)
    if password is not None:
        request.add_header("Authorization", "Basic " + b64encode(f"operator:{password}".encode()).decode())
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def test_it_comes_up_is_watched_and_stops_at_ctrl_c(installation: Installation) -> None:
    info = installation.start()
    assert installation.process is not None
    assert info.pid == installation.process.pid
    assert status_of(f"{info.web_url}/healthz") == 200

    # Flower lets nobody in without the password of the file, and lets nobody change anything.
    password = (installation.data_dir / "secrets" / "operator_password").read_text().strip()
    assert status_of(f"{info.flower_url}api/workers") == 401
    assert status_of(f"{info.flower_url}api/workers", password="wrong") == 401
    assert status_of(f"{info.flower_url}workers", password=password) == 200

    # No process shows the password.
    for pid in processes_of(installation.data_dir):
        shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        assert password.encode() not in shown

    # A second one on the same folder is refused, and told of the first.
    refused = installation.cli("up", "--port", "0", "--no-flower", code=5)
    assert f"already running on {installation.data_dir} (pid {info.pid}, {info.web_url})" in refused

    checks = {check["name"]: check for check in json.loads(installation.cli("doctor", "--json"))["checks"]}
    assert {name for name, check in checks.items() if check["state"] not in {"ok", "warning"}} == set()
    for name in ("database", "broker", "queue generation", "queue maintenance", "beat", "web", "Flower"):
        assert checks[name]["state"] == "ok", checks[name]

    process = installation.process
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Repomill is ready after" in output
    assert info.web_url in output
    assert info.flower_url in output
    assert "operator_password" in output
    assert password not in output
    assert processes_of(installation.data_dir) == set()
    assert running_stack(installation.data_dir) is None
    installation.process = None

    # Nothing on the disk but the secret files and Flower's configuration knows the password.
    knowing = [
        path for path in installation.data_dir.rglob("*") if path.is_file() and password.encode() in path.read_bytes()
    ]
    assert {path.name for path in knowing} == {"operator_password", "flower_config.py"}
    for path in installation.data_dir.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_sigterm_ends_it_and_kill_leaves_nobody(installation: Installation) -> None:
    installation.start("--no-flower")
    process = installation.process
    assert process is not None
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert processes_of(installation.data_dir) == set()

    # kill -9 of the supervisor alone: the kernel ends the rest, and a new start works at once.
    installation.start("--no-flower")
    process = installation.process
    assert process is not None
    assert len(processes_of(installation.data_dir)) > 6
    process.kill()
    process.communicate(timeout=5)
    wait_until_gone(installation.data_dir, patience=3)
    assert installation.start("--no-flower").ready


def test_what_ends_by_itself_is_started_again(installation: Installation) -> None:
    installation.start("--no-flower")
    process = installation.process
    assert process is not None
    (broker,) = installation.processes("-server ")
    for pid in (broker, *named(installation, "rm-web"), *named(installation, "rm-generation")):
        os.kill(pid, signal.SIGKILL)
    installation.cli("projects", "create", "demo")
    shown = installation.json("run", EXAMPLE, "--project", "demo", "--input", "name=again", "--follow")
    assert shown["status"] == "completed"
    assert installation.processes("-server ") not in ([], [broker])
    process.terminate()
    output, _ = process.communicate(timeout=30)
    installation.process = None
    assert process.returncode == 0
    assert "broker ended by itself (status -9); started again, with its queues." in output
    assert "web ended by itself (status -9); started again." in output
    assert "worker-generation ended by itself (status -9); started again." in output
    assert processes_of(installation.data_dir) == set()


def test_a_process_that_does_not_stay_up_is_named(installation: Installation) -> None:
    installation.start("--no-flower")
    process = installation.process
    assert process is not None
    while process.poll() is None:
        for pid in named(installation, "rm-web"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    output, _ = process.communicate(timeout=30)
    installation.process = None
    assert process.returncode == 1
    assert output.count("web ended by itself (status -9); started again.") == MOST_ENDS - 1
    assert "error: web does not stay up (status -9); everything was stopped. [process_died]" in output
    assert processes_of(installation.data_dir) == set()


def test_stopping_while_it_starts_is_no_failure(installation: Installation) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.cli", "up", "--port", "0", "--no-flower"],
        env=installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Starting Repomill"):
            break
    process.terminate()
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in output) == (0, False), output
    assert processes_of(installation.data_dir) == set()


def test_a_taken_port_is_one_clear_line(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        shown = installation.cli("up", "--port", str(port), code=6)
        assert shown.startswith(f"error: Port {port} is in use by another program. [port_taken]\n")
        assert "--port" in shown
        shown = installation.cli("up", "--port", "0", "--flower-port", str(port), code=6)
        assert "--flower-port" in shown
    assert running_stack(installation.data_dir) is None


def test_a_key_that_can_be_guessed_keeps_it_down(installation: Installation) -> None:
    secrets = installation.data_dir / "secrets"
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    (secrets / "secret_key").write_text("a" * 60)
    (secrets / "secret_key").chmod(0o600)
    shown = installation.cli("up", "--port", "0", code=7)
    assert "secret_key can be guessed" in shown
    assert "hint: Delete it and start again" in shown
    assert processes_of(installation.data_dir) == set()


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    shown = Installation(tmp_path / "data").cli("up", code=7)
    assert f"error: The data folder {tmp_path / 'data'} cannot be written" in shown


def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    shown = Installation(tmp_path / ("x" * 100)).cli("up", code=7)
    assert "too long for a Unix socket" in shown
    assert "hint: Set REPOMILL_DATA_DIR" in shown


def test_doctor_where_nothing_runs(tmp_path_factory: pytest.TempPathFactory) -> None:
    installation = Installation(tmp_path_factory.mktemp("idle"))
    shown = installation.cli("doctor", code=6)
    assert "not running: start with `repomill up`" in shown
    told, _ = json.JSONDecoder().raw_decode(installation.cli("doctor", "--json", code=6))
    checks = {check["name"]: check["state"] for check in told["checks"]}
    assert checks["Python"] == "ok"
    assert checks["broker"] == "unavailable"


def test_a_stack_for_a_block_of_code(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("bg")
    for name in ("DJANGO_SETTINGS_MODULE", "REDIS_URL", "DATABASE_URL", "BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    with background_stack(folder, flower=False) as info:
        assert status_of(f"{info.web_url}/healthz") == 200
        with background_stack(folder) as same:
            assert same == info
        # It was not the inner block's to stop.
        assert status_of(f"{info.web_url}/healthz") == 200
    assert processes_of(folder) == set()


def test_a_stack_that_cannot_start_says_why(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKEND_URL", "nonsense")
    refused = pytest.raises(ProcessDied, match="ended while starting: BACKEND_URL must be an origin")
    with refused, background_stack(tmp_path_factory.mktemp("bad")):
        pytest.fail("it must not start")
