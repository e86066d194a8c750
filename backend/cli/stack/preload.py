"""Imports, once, what the processes of the stack would each import; see `forked_command`.

It opens no connection and starts no thread: neither survives a fork. Django must be set up.
"""

from __future__ import annotations

import gc
import warnings
from importlib import import_module

MODULES = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.worker.autoscale",
    "celery.worker.consumer",
    "django_celery_beat.schedulers",
    "flower.command",
    "kombu.transport.redis",
    "uvicorn.lifespan.off",
    "uvicorn.loops.asyncio",
    "uvicorn.main",
    "uvicorn.protocols.http.h11_impl",
    "backend.config.asgi",
    "backend.config.urls",
)


def preload() -> None:
    """Import the modules and the tasks, and set the collected memory aside so that the processes share it."""
    from backend.config.celery import app

    for name in MODULES:
        import_module(name)
    app.loader.import_default_modules()
    # Said once, by `repomill up`, and not by each of three workers.
    warnings.filterwarnings("ignore", category=import_module("celery.platforms").SecurityWarning)
    gc.collect()
    # Frozen objects are not touched by the collector, so their pages are not copied.
    gc.freeze()
