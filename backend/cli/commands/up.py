"""`repomill up`: everything on this machine, in one terminal."""

from __future__ import annotations

from typing import Annotated

import typer


def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the web process; 0 takes any free one.")] = 8000,
    flower_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of Flower; 0 takes any free one.")] = 5555,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show only what listens where; the processes' output is in the logs.")
    ] = False,
    no_flower: Annotated[bool, typer.Option("--no-flower", help="Run without Flower.")] = False,
) -> None:
    """Start web, workers, beat, Flower and, unless REDIS_URL is set, the embedded broker.

    The database is migrated first, and the user `operator` is made on the first start. Ctrl-C or SIGTERM stops
    everything: workers get ten seconds to finish what they do, and a second Ctrl-C does not wait.
    """
    from backend.cli.stack.run import run_stack

    run_stack(port=port, flower_port=None if no_flower else flower_port, quiet=quiet)
