"""The parts of the installation, and whether each works. For operators."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import version
from typing import Any

import celery
import django
from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from backend.api.health import broker_answers, database_answers, holds, migrations_are_applied, storage_can_be_written
from backend.apps.authentication.roles import is_operator
from backend.config.live_workers import queues, workers
from backend.console.pages import is_partial, page, user_of
from backend.console.shown.queues import queues_of
from backend.errors import PermissionRefused
from backend.metrics import present
from backend.metrics.increments import Series

BEAT = ("repomill_beat_age_seconds", ())
SILENT = 30.0
"""Seconds after which beat is late."""


@page
def system(request: HttpRequest) -> HttpResponseBase:
    """Show the parts; to htmx what of them changes."""
    if not is_operator(user_of(request)):
        raise PermissionRefused("Only operators see the system.", hint="Ask one of them, or see your own runs.")
    now = timezone.now()
    values = present.of_tasks(now=now) | present.of_broker_and_workers() | present.of_beat(now=now)
    serving = workers.by_name()
    context = {
        "parts": _parts(values, worker_count=len(serving)),
        "queues": queues_of(queues(), values),
        "workers": sorted(serving.items()),
        "expired": int(values.get(("repomill_leases_expired", ()), 0)),
        "versions": _versions(),
        "flower_url": settings.ENVIRONMENT.flower_url,
    }
    template = "console/system/board.html" if is_partial(request) else "console/system/system.html"
    return render(request, template, context)


def _parts(values: dict[Series, float], *, worker_count: int) -> list[dict[str, Any]]:
    """Return each part with its state and what is known of it."""
    broker = "Embedded" if settings.ENVIRONMENT.embedded_broker else "Redis"
    beat = values.get(BEAT)
    return [
        _part("Database", "database", holds("database", database_answers), connection.vendor),
        _part("Migrations", "layers", holds("migrations", migrations_are_applied), "all applied"),
        _part("Broker", "radio-tower", holds("broker", broker_answers), broker),
        _part("Storage", "hard-drive", holds("storage", storage_can_be_written), _room()),
        _part("Workers", "boxes", worker_count > 0, f"{worker_count} answer"),
        _part(
            "Beat", "clock", beat is not None and beat < SILENT, "never seen" if beat is None else f"{beat:.0f} s ago"
        ),
    ]


def _part(name: str, icon: str, works: bool, about: str) -> dict[str, Any]:
    return {"name": name, "icon": icon, "status": "ok" if works else "down", "about": about}


def _room() -> str:
    usage = shutil.disk_usage(settings.DATA_DIR)
    return f"{usage.free / 1e9:.0f} GB free of {usage.total / 1e9:.0f} GB"


def _versions() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        asked = "SHOW server_version" if connection.vendor == "postgresql" else "SELECT sqlite_version()"
        cursor.execute(asked)
        database = str(cursor.fetchone()[0])
    name = "PostgreSQL" if connection.vendor == "postgresql" else "SQLite"
    return [
        ("Repomill", version("repomill")),
        ("Python", platform.python_version()),
        ("Django", django.get_version()),
        ("Celery", celery.__version__),
        (name, database),
    ]
