"""Two questions of whoever runs the process: does it live, and can it serve? Both answer without a token.

They tell no more than which part does not work; the reason is in the log. A queue without a worker is told and does not
make the answer a 503: the web process takes work all the same, and it is done when a worker is back. To take the web
process out of service for it would only turn a delay into an outage.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection

from backend.config.celery import app
from backend.config.live_workers import workers

logger = logging.getLogger(__name__)

BROKER_SECONDS = 1.0
"""How long the broker has to answer a ping."""


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  (a view)
    """Answer 200: the process lives."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  (a view)
    """Answer 200 when everything that requests need works, and 503 with what does not."""
    checks: dict[str, Callable[[], bool]] = {
        "database": database_answers,
        "migrations": migrations_are_applied,
        "broker": broker_answers,
        "storage": storage_can_be_written,
    }
    failing = [name for name, check in checks.items() if not holds(name, check)]
    serving = {} if "broker" in failing else workers.serving()
    idle = sorted(queue for queue, number in serving.items() if not number)
    status = "unavailable" if failing else "degraded" if idle else "ok"
    body = {"status": status, "failing": failing, "queues": serving, "queues_without_workers": idle}
    return JsonResponse(body, status=503 if failing else 200)


def database_answers() -> bool:
    """Return whether the database answers a query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def migrations_are_applied() -> bool:
    """Return whether no migration is left to apply."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def storage_can_be_written() -> bool:
    """Return whether the folders of workspaces, git stores and archives, or the nearest above them, can be written."""
    folders = (settings.GENERATED_PROJECTS_DIR, settings.GIT_STORES_DIR, settings.ARCHIVES_DIR)
    return all(_writable(Path(folder)) for folder in folders)


def _writable(folder: Path) -> bool:
    # They are made when they are first needed.
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def broker_answers() -> bool:
    """Return whether the broker answers a ping in time; opening a channel pings it."""
    options = {**app.conf.broker_transport_options, "socket_connect_timeout": BROKER_SECONDS}
    options |= {"socket_timeout": BROKER_SECONDS, "max_retries": 0, "retry_on_timeout": False}
    with Connection(app.conf.broker_url, connect_timeout=BROKER_SECONDS, transport_options=options) as broker:
        broker.connect()
        broker.channel()
    return True


def holds(name: str, check: Callable[[], bool]) -> bool:
    """Return whether a check holds; one that fails in whatever way does not."""
    try:
        # Whatever a driver raises, it means: not ready.
        return check()
    except Exception as error:  # noqa: BLE001
        # Not its text: a driver's can hold an address with a password.
        logger.warning("not ready: %s: %s", name, type(error).__name__)
        return False
