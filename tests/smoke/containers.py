"""The containers of the smoke tests, as pytest-celery knows them: our image, guarded as in docker-compose.yml.

It prepares no image: scripts/containers does, and names them in the environment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from pytest_celery import CeleryWorkerContainer, RedisContainer
from pytest_docker_tools import wrappers

Answer = TypeVar("Answer")
DATA = "/var/lib/repomill/data"
PASSWORD = "smoke-and-mirrors"
DATABASE = {"POSTGRES_USER": "repomill", "POSTGRES_DB": "repomill", "POSTGRES_PASSWORD": PASSWORD}
GUARDED: dict[str, Any] = {
    "init": True,
    "read_only": True,
    "tmpfs": {"/tmp": ""},
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}
QUEUES = {"generation": "generation", "export": "export,bulk", "agents": "agents"}


def image(name: str) -> str:
    """Return the image of this name that scripts/containers has prepared."""
    return os.environ.get(f"{name}_IMAGE", "")


class PasswordRedis(RedisContainer):
    """Redis as an installation has it: with a password and an append-only file."""

    @classmethod
    def image(cls) -> str:
        """Return the image."""
        return image("REDIS")

    @classmethod
    def command(cls, *args: str, debugpy: bool = False, wait_for_client: bool = True, **kwargs: Any) -> list[str]:
        """Return the command; the password on it is worth nothing."""
        options = ("--requirepass", PASSWORD, "--appendonly", "yes", "--maxmemory-policy", "noeviction", *args)
        return ["redis-server", *options]

    @property
    def url(self) -> str:
        """Return the address inside the network."""
        return f"redis://:{PASSWORD}@{self.hostname}:6379/{self.vhost}"

    @property
    def host_url(self) -> str:
        """Return the address from here, whether the tests themselves run in a container or not."""
        host, port = self.get_addr("6379/tcp")
        return f"redis://:{PASSWORD}@{host}:{port}/{self.vhost}"


class RepomillContainer(wrappers.Container):
    """A container of our image in any role.

    To pytest-docker-tools it is ready when it runs, so that the next one is started meanwhile; see `works`.
    """

    def ready(self) -> bool:
        """Say whether it runs."""
        self.reload()
        return bool(self.status == "running")

    def works(self) -> bool:
        """Say whether it does what it is for, where that can be seen."""
        return self.ready()

    def heal(self) -> None:
        """Let it run again if it was paused, stopped or killed."""
        self.reload()
        if self.status == "paused":
            self.unpause()
        elif self.status != "running":
            self._container.start()

    def pause(self) -> None:
        """Stop its processes where they are."""
        self._container.pause()

    def unpause(self) -> None:
        """Let them go on."""
        self._container.unpause()

    def stop(self, timeout: int = 30) -> int:
        """End it as an update does, and return its exit status."""
        self._container.stop(timeout=timeout)
        return int(self._container.wait()["StatusCode"])


class WebContainer(RepomillContainer):
    """The web process."""

    def works(self) -> bool:
        """Say whether it answers /healthz."""
        ask = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"
        return bool(super().works() and self.exec_run(["python", "-c", ask])[0] == 0)

    @property
    def host_url(self) -> str:
        """Return its address from here, whether the tests themselves run in a container or not."""
        self.reload()
        host, port = self.get_addr("8000/tcp")
        return f"http://{host}:{port}"


class PostgresContainer(wrappers.Container):
    """PostgreSQL; ready when it takes connections by network, which its first start does last."""

    def ready(self) -> bool:
        """Say whether it takes connections."""
        asked = ["pg_isready", "--host", "127.0.0.1", "--username", "repomill"]
        return bool(super().ready() and self.exec_run(asked)[0] == 0)


class RepomillWorker(RepomillContainer, CeleryWorkerContainer):
    """A worker of our image, with our own application, tasks and configuration."""

    @classmethod
    def initial_env(cls, celery_worker_cluster_config: dict[str, Any], initial: Any = None) -> dict[str, Any]:
        """Give it the broker of pytest-celery's cluster, the way our image takes it."""
        (url,) = celery_worker_cluster_config["celery_broker_cluster_config"]["urls"]
        return {"REDIS_URL": url, **(initial or {})}

    def works(self) -> bool:
        """Say whether it takes work, by what every version of it says since it was started."""
        if not super().works():
            return False
        started = datetime.fromisoformat(self.attrs["State"]["StartedAt"][:19]).replace(tzinfo=UTC)
        said: bytes = self._container.logs(since=int(started.timestamp()))
        return self.ready_prompt in said.decode()


PROGRAM = ("python", "-m", "backend.config.celery_program")
CELERY = ("celery", "--quiet", "--app", "backend.config.celery")
"""The same with more of Celery in it; every image has it, the one before too."""


def worker_command(kind: str, *, program: Sequence[str] = PROGRAM) -> list[str]:
    """Return the command of a worker, as in docker-compose.yml."""
    return [
        *program,
        "worker",
        f"--queues={QUEUES[kind]},maintenance",
        f"--hostname={kind}@%h",
        "--concurrency=1",
        "--loglevel=INFO",
        "--without-gossip",
        "--without-mingle",
    ]


def beat_command(*, program: Sequence[str] = PROGRAM) -> list[str]:
    """Return the command of beat."""
    return [*program, "beat", "--loglevel=INFO", "--pidfile="]


def wait_until(question: Callable[[], Answer | None], *, patience: float, what: str) -> Answer:
    """Ask until there is an answer."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"waited {patience} s in vain for {what}")
