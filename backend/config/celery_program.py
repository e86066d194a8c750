"""Celery's worker and beat as Repomill starts them: `python -m backend.config.celery_program worker --queues=export`.

The options are those of `celery worker` and `celery beat`. The `celery` command works as well, and holds more: it loads
every command that a package adds to it (Flower's web server, a shell), in processes that never run them. What libraries
load only because it is installed stays away here too: the HTTP client's command line, and the web server that retrying
could be used in.
"""

from __future__ import annotations

import sys

from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker

from backend.config.celery import app
from backend.config.lean_imports import import_without

import_without("httpx", absent="httpx._main")
import_without("tenacity", absent="tornado")

_PROGRAMS = {"worker": worker, "beat": beat}


def main(arguments: list[str]) -> None:
    """Run the program that the first argument names until it ends; exit with 2 where the arguments are wrong."""
    program = _PROGRAMS.get(arguments[0]) if arguments else None
    if program is None:
        sys.stderr.write(f"usage: python -m backend.config.celery_program {{{','.join(_PROGRAMS)}}} [OPTIONS]\n")
        sys.exit(2)
    program.main(
        arguments[1:],
        prog_name=f"python -m backend.config.celery_program {arguments[0]}",
        obj=CLIContext(app=app, no_color=not sys.stdout.isatty(), workdir=None, quiet=True),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
