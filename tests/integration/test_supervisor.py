"""The supervisor on small commands of its own: it starts them, passes their output on, and leaves none behind."""

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.cli.stack.output import StackPrinter
from backend.cli.stack.processes import StackProcess
from backend.cli.stack.supervisor import Supervisor
from backend.config.environment import ROOT

pytestmark = pytest.mark.integration

SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(60)\n"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)\n"
)
FAILING = "import sys, time\nprint('the reason', flush=True)\nsys.exit(3)\n"
DONE = "print('done', flush=True)\n"
FORKS = [False, pytest.param(True, marks=pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux"))]


class Stack:
    """A supervisor of commands that lie in a folder."""

    def __init__(self, folder: Path, *, fork: bool) -> None:
        self.folder = folder
        self.shown = io.StringIO()
        self.printer = StackPrinter(log_dir=folder / "log", quiet=False, output=self.shown)
        self.when: Callable[[], None] = lambda: None
        self.supervisor = Supervisor(
            printer=self.printer, fork=fork, on_started=lambda: None, on_tick=lambda: self.when()
        )

    def add(self, name: str, script: str, *, patience: float = 10.0) -> None:
        (self.folder / f"{name}_script.py").write_text(script)
        argv = (sys.executable, "-m", f"{name}_script", "an argument; with $HOME")
        env = os.environ | {"PYTHONPATH": str(self.folder), "MARKER": name}
        self.supervisor.add(StackProcess(name, argv, patience), env=env)

    def signal_when(self, text: str, *numbers: signal.Signals) -> None:
        """Send signals to this process, one a tick, once every named text was seen."""
        left = list(numbers)

        def look() -> None:
            if self.shown.getvalue().count(text) >= len(self.supervisor._processes) and left:
                for number in left:
                    os.kill(os.getpid(), number)
                left.clear()

        self.when = look

    def run(self) -> str:
        try:
            self.supervisor.loop()
        finally:
            self.printer.close()
        return self.shown.getvalue()

    def pids(self) -> list[int]:
        return [state["pid"] for state in self.supervisor._processes.values()]


@pytest.fixture(params=FORKS, ids=["exec", "fork"])
def stack(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    # A forked command imports with the path of the process that was forked.
    monkeypatch.syspath_prepend(str(tmp_path))
    return Stack(tmp_path, fork=request.param)


def nobody_is_left(pids: list[int], *, patience: float = 3.0) -> bool:
    """Say whether the processes end within the patience; one that init has yet to collect has ended."""
    deadline = time.monotonic() + patience
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_of_them_and_is_no_failure(stack: Stack, number: signal.Signals) -> None:
    stack.add("one", SLEEPER)
    stack.add("two", SLEEPER)
    before = signal.getsignal(number)
    stack.signal_when("| up", number)
    shown = stack.run()
    assert stack.supervisor.failed is None
    assert "one stopped (status -15)" in shown
    assert "two stopped (status -15)" in shown
    assert nobody_is_left(stack.pids())
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("script", "status"), [(FAILING, 3), (DONE, 0)])
def test_one_that_ends_by_itself_ends_the_others(stack: Stack, script: str, status: int) -> None:
    stack.add("one", SLEEPER)
    stack.add("bad", script)
    stack.run()
    assert stack.supervisor.failed == ("bad", status)
    assert stack.printer.last_lines("bad") == ["the reason" if status else "done"]
    assert nobody_is_left(stack.pids())


def test_a_traceback_is_passed_on(stack: Stack) -> None:
    stack.add("bad", "raise RuntimeError('broken')\n")
    stack.run()
    assert stack.supervisor.failed is not None
    assert stack.supervisor.failed[0] == "bad"
    assert stack.supervisor.failed[1] != 0
    assert stack.printer.last_lines("bad")[-1] == "RuntimeError: broken"


def test_arguments_environment_and_folder_arrive_as_they_are(stack: Stack) -> None:
    stack.add(
        "one", "import os, sys\nprint(sys.argv[1:], os.environ['MARKER'], os.getcwd(), os.getsid(0) == os.getpid())\n"
    )
    shown = stack.run()
    assert f"['an argument; with $HOME'] one {ROOT} True" in shown


def test_one_that_does_not_listen_is_killed_after_its_time(stack: Stack) -> None:
    stack.add("stubborn", STUBBORN, patience=0.3)
    stack.signal_when("| up", signal.SIGTERM)
    assert "stubborn stopped (status -9)" in stack.run()
    assert nobody_is_left(stack.pids())


def test_a_second_signal_does_not_wait(stack: Stack) -> None:
    stack.add("stubborn", STUBBORN)
    stack.signal_when("| up", signal.SIGINT, signal.SIGTERM)
    began = time.monotonic()
    assert "stubborn stopped (status -9)" in stack.run()
    assert time.monotonic() - began < 5


def test_what_a_command_leaves_in_its_group_goes_with_it(stack: Stack) -> None:
    stack.add(
        "parent",
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], stdout=subprocess.DEVNULL,"
        " stderr=subprocess.DEVNULL)\nprint('child', child.pid, flush=True)\n",
    )
    stack.run()
    child = int(stack.printer.last_lines("parent")[0].split()[1])
    assert nobody_is_left([child])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_intermediate_process_counts_as_its_commands_end(stack: Stack) -> None:
    stack.add("one", SLEEPER)
    stack.add("two", SLEEPER)
    killed: list[int] = []

    def kill_one() -> None:
        if stack.shown.getvalue().count("| up") == 2 and not killed:
            killed.append(stack.supervisor._processes["one"]["process"].pid)
            os.kill(killed[0], signal.SIGKILL)

    stack.when = kill_one
    stack.run()
    assert stack.supervisor.failed == ("one", -9)
    assert nobody_is_left(stack.pids())


def test_threads_may_start_once_all_are_forked(tmp_path: Path) -> None:
    started: list[bool] = []
    printer = StackPrinter(log_dir=tmp_path / "log", quiet=True, output=io.StringIO())
    supervisor = Supervisor(
        printer=printer,
        fork=False,
        on_started=lambda: started.append(threading.active_count() >= 1),
        on_tick=lambda: None,
    )
    supervisor.add(StackProcess("done", (sys.executable, "-c", "pass")), env=dict(os.environ))
    supervisor.loop()
    printer.close()
    assert started == [True]
    assert supervisor.failed == ("done", 0)
