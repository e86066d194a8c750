"""Brings a stack up and keeps it up: what `repomill up` does, in its order."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import nullcontext
from functools import partial

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from backend.cli.checks.at_start import check_at_start
from backend.cli.django_setup import setup_django
from backend.cli.errors import FolderLocked, ProcessDied, StackRunning
from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.broker_watch import BrokerWatch
from backend.cli.stack.flower_config import write_flower_config
from backend.cli.stack.lock import FolderLock, StackInfo, running_stack, stack_lock
from backend.cli.stack.migrate import prepare_database
from backend.cli.stack.output import StackPrinter
from backend.cli.stack.preflight import choose_port, prepare_data_folder, require_git
from backend.cli.stack.preload import preload
from backend.cli.stack.processes import child_environment, processes
from backend.cli.stack.ready import Readiness, ReadinessWatch
from backend.cli.stack.restarts import Restarts
from backend.cli.stack.settings import OPERATOR, StackSettings
from backend.cli.stack.supervisor import Supervisor
from backend.config.environment import Environment, read

FORK = sys.platform == "linux"
"""Whether the processes are forks of this one; see `forked_command`."""


def run_stack(*, port: int, flower_port: int | None, quiet: bool) -> None:
    """Start everything, and return when it was asked to stop and has stopped.

    port, flower_port: 0 for any free port; None for no Flower.
    Raises ConfigurationError (also for a key that can be guessed), PortTaken, StackRunning, or ProcessDied when a
    process does not stay up.
    """
    began = time.monotonic()
    # Whatever any process of the stack writes is for this user alone.
    os.umask(0o077)
    # Not `load`: what it remembers for the rest of the process must be what the stack's processes see.
    environment = read(os.environ)
    prepare_data_folder(environment.data_dir)
    require_git()
    lock = _take_lock(environment)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = StackSettings(
            environment=environment,
            web_port=choose_port(port, option="--port"),
            flower_port=None if flower_port is None else choose_port(flower_port, option="--flower-port"),
            quiet=quiet,
        )
        lock.publish(**_info(settings, ready=False).as_json())
        os.environ.update(child_environment(settings))
        printer = StackPrinter(log_dir=settings.log_dir, quiet=settings.quiet)
        with EmbeddedBroker(environment.data_dir) if environment.embedded_broker else nullcontext() as broker:
            if os.geteuid() == 0:
                printer.announce("warning: running as root; an ordinary user is safer.")
            printer.announce(f"Starting Repomill on {environment.data_dir} ...")
            setup_django()
            check_at_start(environment)
            prepare_database()
            write_flower_config(settings)
            if FORK:
                preload()
            _supervise(settings, lock, broker, printer=printer, began=began)
    except KeyboardInterrupt:
        # Before the supervisor took over: there is nothing to end but the broker, which the context has stopped.
        return
    finally:
        signal.signal(signal.SIGTERM, before)
        lock.release()


def _take_lock(environment: Environment) -> FolderLock:
    lock = stack_lock(environment.data_dir)
    try:
        lock.acquire(pid=os.getpid())
    except FolderLocked as error:
        running = running_stack(environment.data_dir)
        pid, url = (running.pid, running.web_url or "still starting") if running else ("unknown", "stopping")
        raise StackRunning(
            f"Repomill is already running on {environment.data_dir} (pid {pid}, {url}).",
            hint=f"Use it as it is, or stop it first: kill {pid}",
        ) from error
    return lock


def _supervise(
    settings: StackSettings, lock: FolderLock, broker: EmbeddedBroker | None, *, printer: StackPrinter, began: float
) -> None:
    watch = ReadinessWatch(settings, began=began)
    told = False

    def look_after() -> None:
        tell_when_ready()
        if broker_watch is not None:
            broker_watch.look()

    def tell_when_ready() -> None:
        nonlocal told
        result = watch.result()
        if result is not None and not told:
            told = True
            lock.publish(**_info(settings, ready=not result.missing).as_json())
            printer.announce(rendered(settings, result))

    def restart(name: str, status: int) -> bool:
        # What cannot start does so no better the second time.
        again = told and restarts.allow(name)
        if again:
            printer.announce(f"{name} ended by itself (status {status}); started again.")
        return again

    restarts = Restarts()
    supervisor = Supervisor(printer=printer, fork=FORK, on_started=watch.start, on_tick=look_after, restart=restart)
    give_up = partial(supervisor.fail, "broker")
    broker_watch = BrokerWatch(broker, restarts, announce=printer.announce, give_up=give_up) if broker else None
    for process in processes(settings):
        supervisor.add(process, env=child_environment(settings))
    try:
        supervisor.loop()
    finally:
        watch.stop()
        printer.close()
    if supervisor.failed is not None:
        name, status = supervisor.failed
        raise _process_died(name, status, printer)


def _process_died(name: str, status: int, printer: StackPrinter) -> ProcessDied:
    for line in printer.last_lines(name):
        printer.announce(f"{name}| {line}")
    log = printer.log_dir / f"{name}.log"
    return ProcessDied(f"{name} does not stay up (status {status}); everything was stopped.", hint=f"Read {log}")


def _info(settings: StackSettings, *, ready: bool) -> StackInfo:
    return StackInfo(pid=os.getpid(), web_url=settings.web_url, flower_url=settings.flower_url, ready=ready)


def rendered(settings: StackSettings, result: Readiness) -> str:
    """Return the panel that says what listens where and what to do next; plain text when not on a terminal."""
    rows = [
        ("Web and API", settings.web_url),
        ("Flower", settings.flower_url or "not started"),
        ("Sign in as", f"{OPERATOR}; the password is in {settings.operator_password_file}"),
        ("Data", str(settings.environment.data_dir)),
        ("Logs", str(settings.log_dir)),
        ("Next", "repomill run WORKFLOW.yaml, in another terminal"),
        ("To stop", "Ctrl-C"),
    ]
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(value, overflow="fold"))
    if result.missing:
        title, style = f"Not ready after {result.seconds:.0f} s: {', '.join(result.missing)} did not answer", "yellow"
    else:
        title, style = f"Repomill is ready after {result.seconds:.1f} s", "green"
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(Panel(table, title=Text(title), border_style=style, expand=False))
    return capture.get().rstrip("\n")
