"""Checks of what should be running: workers, beat, web and Flower."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from backend.cli.checks.base import NOT_RUNNING, Check, ok, unavailable, warning
from backend.cli.checks.remedies import remedy, remedy_of_queue
from backend.cli.stack.lock import running_stack
from backend.cli.stack.ready import answers
from backend.config.environment import Environment

BEAT_TASK = "reconcile"
"""The entry of the schedule that comes most often; while beat lives, its last run is recent."""


def check_queues(queues: list[str], environment: Environment) -> list[Check]:
    """Check that each queue has a living worker."""
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    from backend.config.celery import app

    try:
        answered = app.control.inspect(timeout=1.0).active_queues() or {}
    except (OperationalError, RedisError, OSError):
        answered = {}
    serving = {worker: {queue["name"] for queue in served} for worker, served in answered.items()}
    return [judge_queue(queue, serving, remedy=remedy_of_queue(environment, queue)) for queue in queues]


def unasked_queues(queues: list[str]) -> list[Check]:
    """Return what is known of the queues while the broker does not answer."""
    return [judge_queue(queue, {}, remedy="the broker first") for queue in queues]


def judge_queue(queue: str, serving: dict[str, set[str]], *, remedy: str) -> Check:
    """Judge one queue by which worker serves which queues."""
    name = f"queue {queue}"
    workers = sorted(worker for worker, queues in serving.items() if queue in queues)
    if workers:
        return ok(name, ", ".join(workers))
    return unavailable(name, "no worker serves it" if serving else "no worker answers", remedy)


def check_beat(environment: Environment) -> Check:
    """Check that beat has run the reconciler lately. Django must be set up and its database migrated."""
    from django.utils import timezone
    from django_celery_beat.models import PeriodicTask

    last = PeriodicTask.objects.filter(name=BEAT_TASK).values_list("last_run_at", flat=True).first()
    alone = "Start it: python -m backend.config.celery_program beat --pidfile="
    told = remedy(environment, process="beat", alone=alone)
    return judge_beat(last, now=timezone.now(), interval=environment.reconcile_seconds, remedy=told)


def judge_beat(last_run: datetime | None, *, now: datetime, interval: float, remedy: str) -> Check:
    """Judge beat by the last run of an entry that comes every `interval` seconds."""
    if last_run is None:
        return unavailable("beat", "has not run anything yet", remedy)
    age = now - last_run
    if age > timedelta(seconds=max(30.0, interval * 4)):
        return unavailable("beat", f"silent for {age.total_seconds():.0f} s", remedy)
    return ok("beat", f"ran {age.total_seconds():.0f} s ago")


def check_web(environment: Environment, *, answering: Callable[[str], bool] = answers) -> Check:
    """Check that the web process answers where the workers look for it."""
    running = running_stack(environment.data_dir)
    url = environment.backend_url
    if answering(f"{url}/healthz"):
        return ok("web", f"answers at {url}")
    if running is not None and running.web_url and answering(f"{running.web_url}/healthz"):
        # `repomill up --port` tells its own processes; a worker started beside it would not know.
        return ok("web", f"answers at {running.web_url}, the port `repomill up` was given")
    alone = "Check that it runs, and that BACKEND_URL leads to it."
    return unavailable("web", f"does not answer at {url}", remedy(environment, process="web", alone=alone))


def check_flower(environment: Environment, *, answering: Callable[[str], bool] = answers) -> Check:
    """Check that the Flower of `repomill up` answers; one that runs elsewhere is not known here."""
    running = running_stack(environment.data_dir)
    if running is None and not environment.embedded_broker:
        return ok("Flower", "not looked for: the processes of this installation are started one by one")
    if running is None:
        return unavailable("Flower", "not running on this data folder", NOT_RUNNING)
    if not running.flower_url:
        return warning("Flower", "switched off", "Start `repomill up` without --no-flower to watch tasks.")
    if answering(f"{running.flower_url}healthcheck"):
        return ok("Flower", f"answers at {running.flower_url}")
    told = remedy(environment, process="flower", alone=NOT_RUNNING)
    return unavailable("Flower", f"does not answer at {running.flower_url}", told)
