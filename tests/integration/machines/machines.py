"""An installation on several machines: here the database, the broker and the storage, and workers elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from backend.cli.stack.broker import EmbeddedBroker
from backend.config.parent_death import die_with_parent
from tests.integration.installation import ROOT, Installation
from tests.integration.machines.network import Cable, namespaces_allowed
from tests.integration.postgresql import PostgreSQL
from tests.integration.postgresql_guardian import PORT

LEASE = "3"


class Machine:
    """One machine with workers: a data folder, a cable, and the addresses of the servers as it reaches them."""

    def __init__(self, name: str, folder: Path, cable: Cable, **variables: str) -> None:
        self.name = name
        self.folder = folder
        self.cable = cable
        self.installation = Installation(folder, DJANGO_SETTINGS_MODULE="backend.config.settings.base", **variables)
        self._workers: list[subprocess.Popen[bytes]] = []

    def start(self, queues: str) -> None:
        """Start a worker of these queues."""
        with (self.folder / f"worker{len(self._workers)}.log").open("wb") as log:
            self._workers.append(
                subprocess.Popen(
                    [*self.cable.command, sys.executable, "-m", "tests.integration.machines.worker", queues, self.name],
                    cwd=ROOT,
                    env=self.installation.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=partial(die_with_parent, parent=os.getpid()),
                    start_new_session=True,
                )
            )

    def stop(self) -> None:
        """End its workers at once."""
        for worker in self._workers:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        self._workers = []

    def hold(self, point: str) -> None:
        """Hold the next process that comes to a failpoint, until `let_go`."""
        (self.folder / "go").unlink(missing_ok=True)
        (self.folder / "hold").write_text(point)

    def held(self) -> bool:
        """Return whether a process is held."""
        return (self.folder / "held").exists()

    def let_go(self) -> None:
        """Let the held process go on."""
        (self.folder / "go").touch()

    def log(self) -> str:
        """Return what its workers have said."""
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self.folder.glob("worker*.log")))


class Machines:
    """The whole: `here` is the machine with the servers and the command line, the others are made by `add`."""

    def __init__(
        self, folder: Path, *, postgresql: PostgreSQL, broker: EmbeddedBroker, storage_url: Callable[[Cable], str]
    ) -> None:
        self._folder = folder
        self._postgresql = postgresql
        self._broker = broker
        self._storage_url = storage_url
        self._database = postgresql.create_migrated_database()
        self._common = {"REPOMILL_LEASE_SECONDS": LEASE, "REPOMILL_RECONCILE_SECONDS": "0.5"}
        self._machines: list[Machine] = []
        self._made = 0
        self._beat: subprocess.Popen[bytes] | None = None
        (folder / "here").mkdir()
        self._loop = Cable(0, namespace=False)
        self.here = Installation(
            folder / "here",
            DATABASE_URL=self._database,
            REDIS_URL=broker.url,
            REPOMILL_STORAGE_URL=storage_url(self._loop),
            **self._common,
        )
        self.here.cli("migrate")

    def add(self, name: str, queues: str) -> Machine:
        """Make a machine with a worker of these queues, with a folder and a cable of its own."""
        folder = self._folder / f"{name}{self._made}"
        self._made += 1
        # What a person copies from the first machine: the keys, which all of them have to share.
        shutil.copytree(self._folder / "here" / "secrets", folder / "secrets")
        # As a git server would be: the same for all of them.
        (self._folder / "repositories").mkdir(exist_ok=True)
        (folder / "repositories").symlink_to(self._folder / "repositories")
        cable = Cable(len(self._machines) + 1, namespace=namespaces_allowed())
        database = cable.offer(f"{self._postgresql.socket}/.s.PGSQL.{PORT}")
        name_of_database = conninfo_to_dict(self._database)["dbname"]
        machine = Machine(
            name,
            folder,
            cable,
            DATABASE_URL=f"postgresql://postgres@{cable.address}:{database}/{name_of_database}",
            REDIS_URL=f"redis://{cable.address}:{cable.offer(str(self._broker.socket))}/0",
            REPOMILL_STORAGE_URL=self._storage_url(cable),
            **self._common,
        )
        self._machines.append(machine)
        machine.start(queues)
        return machine

    def start_beat(self) -> None:
        """Start beat here, which lets lost work be found."""
        words = ["celery", "--app", "backend.config.celery", "beat", "--loglevel=INFO", "--pidfile="]
        with (self._folder / "here" / "beat.log").open("wb") as log:
            self._beat = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env=self.here.environment | {"DJANGO_SETTINGS_MODULE": "backend.config.settings.base"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, parent=os.getpid()),
            )

    def run(self, definition: Path, *, project: str = "") -> str:
        """Start a run and return its id. Without a project it gets a new one, of the definition's name."""
        if not project:
            self.here.cli("projects", "create", definition.stem)
        started = self.here.json("run", str(definition), "--project", project or definition.stem)
        return str(started["id"])

    def ended(self, execution: str, *, patience: float = 60) -> dict[str, Any]:
        """Wait until a run has ended, and return it as it is shown."""
        query = "SELECT status FROM workflows_workflowexecution WHERE id = %s"
        with psycopg.connect(self._database, autocommit=True) as connection:

            def status() -> str | None:
                row = connection.execute(query, (execution,)).fetchone()
                return row[0] if row and row[0] in {"completed", "failed", "cancelled"} else None

            try:
                Installation.wait_until(status, patience=patience, what="the run's end")
            except AssertionError as error:
                logs = "\n".join(f"--- {machine.name}\n{machine.log()[-4000:]}" for machine in self._machines)
                raise AssertionError(f"{error}\n{json.dumps(self.here.show(execution))[-3000:]}\n{logs}") from None
        return self.here.show(execution)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self._database, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def stop(self) -> None:
        """End everything at once."""
        if self._beat is not None:
            self._beat.kill()
            self._beat.wait()
        self.stop_machines()

    def stop_machines(self) -> None:
        """End the machines at once, as a power cut does, and take them away."""
        for machine in self._machines:
            machine.stop()
            machine.cable.remove()
        self._machines = []


@contextmanager
def machines(folder: Path, *, postgresql: PostgreSQL, storage_url: Callable[[Cable], str]) -> Iterator[Machines]:
    """Give an installation with no worker yet."""
    (folder / "broker").mkdir()
    with EmbeddedBroker(folder / "broker") as broker:
        whole = Machines(folder, postgresql=postgresql, broker=broker, storage_url=storage_url)
        try:
            yield whole
        finally:
            whole.stop()
