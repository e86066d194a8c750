"""A worker of one machine, as a deployment starts it, that can be held at a failpoint.

    python -m tests.integration.machines.worker QUEUES NAME

Where the file `hold` in its data folder names a failpoint, the next process that comes to it takes the file, leaves
`held`, and waits until `go` is there.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from backend import failpoints
from backend.config.environment import load
from backend.failpoints import Failpoint


def hold_at(folder: Path) -> failpoints.Hook:
    """Return the hook that holds whoever comes to the failpoint that is named there."""

    def hook(point: Failpoint) -> None:
        wanted = folder / "hold"
        with suppress(FileNotFoundError):
            if wanted.read_text() != point.name:
                return
            wanted.unlink()
            (folder / "held").write_text(point.name)
            while not (folder / "go").exists():
                time.sleep(0.02)

    return hook


def main(queues: str, name: str) -> None:
    """Run the worker until it is told to stop."""
    failpoints.install(hold_at(load().data_dir))
    from backend.config.celery import app

    words = ["worker", f"--queues={queues}", "--concurrency=1", f"--hostname={name}@%h", "--loglevel=INFO"]
    app.worker_main([*words, "--without-gossip", "--without-mingle"])


if __name__ == "__main__":
    import django

    django.setup()
    main(*sys.argv[1:])
