"""Tells people and machines that a scheduled run has failed: by e-mail, and by a signed request to a URL.

The request's body is signed with a key that belongs to the schedule alone (`signing_key`); the header `X-Repomill-
Signature` has `t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.BODY`. The receiver refuses what is older than it likes.
A notification that does not get through is tried again with growing pauses, a few times. The two ways are independent:
one that got through is not taken again because the other has not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.core.mail import send_mail
from django.db.models import F, Q
from django.utils.crypto import salted_hmac

from backend.apps.exports.schedule_models import ExportSchedule, ScheduleRun
from backend.errors import RepomillError

SIGNATURE = "X-Repomill-Signature"
MOST_TRIES = 6
FIRST_PAUSE = timedelta(seconds=30)
NEWS = timedelta(hours=1)
"""What failed longer ago is no news, to somebody who was named since. The tries take a quarter of that."""
SECONDS = 10.0
"""How long somebody is waited for who does not answer; so long goes a round on to others, too."""
logger = logging.getLogger(__name__)


def signing_key(schedule: ExportSchedule) -> str:
    """Return what signs the notifications of a schedule: made from the installation's own secret, and kept nowhere."""
    return salted_hmac("repomill.schedule.notify", str(schedule.pk), algorithm="sha256").hexdigest()


def signature(body: bytes, *, key: str, seconds: int) -> str:
    """Return the header's value for a body that is sent at that time."""
    digest = hmac.new(key.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def notify_about(*, now: datetime) -> None:
    """Send what is to be told of failed runs and has not been told yet."""
    failed = ScheduleRun.objects.filter(
        status=ScheduleRun.Status.FAILED, notified_at=None, completed_at__gt=now - NEWS
    ).exclude(schedule__notify_url="", schedule__notify_email=[])
    # Those whose pause is over alone: what has to wait stands in nobody's way.
    due = Q()
    for tries in range(MOST_TRIES):
        due |= Q(notify_failures=tries, completed_at__lte=now - FIRST_PAUSE * (2**tries - 1))
    failed = failed.filter(due).select_related("schedule", "bulk_export")
    until = time.monotonic() + SECONDS
    for run in failed.order_by("completed_at")[:20]:
        if time.monotonic() > until:
            # Somebody did not answer: the next round goes on, and this one holds its worker no longer.
            break
        # Whoever gets this try has it alone; one that is lost with its worker is the next one's.
        mine = ScheduleRun.objects.filter(pk=run.pk, notified_at=None, notify_failures=run.notify_failures)
        if mine.update(notify_failures=F("notify_failures") + 1) and _told_by_all(run, now=now):
            ScheduleRun.objects.filter(pk=run.pk).update(notified_at=now)


def message_about(run: ScheduleRun) -> dict[str, Any]:
    """Return what is told of a run."""
    return {
        "event": "schedule_run_failed",
        "schedule": run.schedule.name,
        "due_at": run.due_at.isoformat(),
        "completed_at": run.completed_at.isoformat() if run.completed_at else None,
        "bulk_export": str(run.bulk_export_id) if run.bulk_export_id else None,
        "error": run.error,
    }


def _told_by_all(run: ScheduleRun, *, now: datetime) -> bool:
    """Take each way that is wanted and has not got through yet. Returns whether all have."""
    ways: list[tuple[str, bool, Callable[..., None]]] = [
        ("notified_url_at", bool(run.schedule.notify_url), _post),
        ("notified_email_at", bool(run.schedule.notify_email), _mail),
    ]
    told = True
    for column, wanted, send in ways:
        if not wanted or getattr(run, column) is not None:
            continue
        try:
            send(run, now=now)
        except (RepomillError, OSError) as error:
            # Only the kind: its text may hold the URL, and a URL may hold what is nobody's business.
            logger.warning("schedule %s could not tell of its failure: %s", run.schedule.name, type(error).__name__)
            told = False
        else:
            # At once, and not with the other: a worker that is lost between the two has told by one.
            ScheduleRun.objects.filter(pk=run.pk).update(**{column: now})
    return told


def _mail(run: ScheduleRun, *, now: datetime) -> None:  # noqa: ARG001  (as the other way is called)
    error = run.error or {}
    lines = [f"{error.get('code', '')}: {error.get('message', '')}", f"It was due at {run.due_at.isoformat()}."]
    if run.bulk_export_id:
        lines.append(f"See: repomill bulk show {str(run.bulk_export_id)[:8]}")
    subject = f"Repomill: the schedule {run.schedule.name} has failed"
    send_mail(subject, "\n".join(lines), None, run.schedule.notify_email)


def _post(run: ScheduleRun, *, now: datetime) -> None:
    # Most runs of most schedules fail never: no worker carries the HTTP library along for them.
    import requests

    from backend.apps.projects.hosts.api_session import PublicAdapter, trusted_certificates

    schedule = run.schedule
    body = json.dumps(message_about(run), ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        SIGNATURE: signature(body, key=signing_key(schedule), seconds=int(now.timestamp())),
    }
    with requests.Session() as session:
        session.trust_env = False
        session.verify = trusted_certificates()
        session.adapters.clear()
        for scheme in ("https://", "http://"):
            session.mount(scheme, PublicAdapter(max_retries=0))
        answer = session.post(
            schedule.notify_url, data=body, headers=headers, timeout=SECONDS, allow_redirects=False, stream=True
        )
        with answer:
            answer.raise_for_status()
            if answer.is_redirect:
                raise requests.exceptions.TooManyRedirects
