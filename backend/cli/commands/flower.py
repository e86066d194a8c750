"""`repomill flower`: Flower as `repomill up` runs it, for installations that run each process by itself."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from backend.cli.stack.settings import HOST


def flower(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5555,
    listen: Annotated[str, typer.Option(help="Address to listen on; put a proxy with TLS before any but this.")] = HOST,
) -> None:
    """Run Flower, read-only, for the user `operator` with the password of the secret file.

    The password is handed over in a file of mode 0600: it is on no command line and in no environment.
    """
    from backend.cli.stack.flower_config import write_flower_config
    from backend.cli.stack.preflight import prepare_data_folder
    from backend.cli.stack.processes import child_environment, processes
    from backend.cli.stack.settings import StackSettings
    from backend.config.environment import ROOT, load

    os.umask(0o077)
    environment = load()
    prepare_data_folder(environment.data_dir)
    settings = StackSettings(environment=environment, web_port=0, flower_port=port)
    write_flower_config(settings, address=listen)
    command = next(process.argv for process in processes(settings) if process.name == "flower")
    os.chdir(ROOT)
    # Replaced and not started: signals and the exit status are Flower's own.
    os.execve(command[0], command, child_environment(settings))  # noqa: S606
