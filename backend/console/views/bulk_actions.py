"""What can be done to a bulk export, each by a button; and the form that starts one, after it has shown the plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.credentials.selectors import visible_credentials
from backend.apps.exports.bulk_models import BulkExport
from backend.apps.exports.bulk_selectors import find_bulk_export
from backend.apps.exports.services import bulk_exports
from backend.apps.exports.services.bulk_forecast import outlook
from backend.apps.workflows.forms.answers import Answers
from backend.console.asking import Asking
from backend.console.pages import action, back_of, form_page, user_of
from backend.console.wishes import bulk_schema, bulk_wish
from backend.errors import RepomillError

CREDENTIAL = {"credential": "destination.credential", "url": "destination.url"}


@action
def pause(request: HttpRequest, bulk_export_id: UUID) -> HttpResponseBase:
    """Let nothing more of it begin."""
    words = "Paused. What runs is let finish; nothing new begins."
    return _done(request, bulk_export_id, bulk_exports.pause_bulk_export, words)


@action
def resume(request: HttpRequest, bulk_export_id: UUID) -> HttpResponseBase:
    """Let a paused one go on."""
    return _done(request, bulk_export_id, bulk_exports.resume_bulk_export, "It goes on.")


@action
def cancel(request: HttpRequest, bulk_export_id: UUID) -> HttpResponseBase:
    """Cancel it."""
    words = "It is being cancelled; what was delivered stays."
    return _done(request, bulk_export_id, bulk_exports.cancel_bulk_export, words)


@action
def retry(request: HttpRequest, bulk_export_id: UUID) -> HttpResponseBase:
    """Try what has failed again."""
    words = "What has failed is tried again. Nothing is delivered twice."
    return _done(request, bulk_export_id, bulk_exports.retry_bulk_export, words)


@form_page
def start(request: HttpRequest) -> HttpResponseBase:
    """Ask what is to be exported, show the plan, and start what was planned."""
    user = user_of(request)
    asking = Asking(
        request, bulk_schema(), "console/bulk/start.html", places=CREDENTIAL, credentials=credentials_of(user)
    )
    if request.method != "POST":
        return asking.first()
    answers = asking.answers()
    if asking.wanted not in {"plan", "start"}:
        return asking.again(answers)
    if answers.errors:
        return asking.show(answers, status=422)
    try:
        # What starts is what the plan was of: an answer that was changed since has another plan.
        if asking.wanted == "start" and request.POST.get("planned") == _digest(answers):
            return _started(request, user, answers)
        found = outlook(user=user, now=timezone.now(), **bulk_wish(answers.inputs))
    except RepomillError as error:
        return asking.refused(answers, error)
    return asking.show(answers, plan=found, planned=_digest(answers), changed=asking.wanted == "start")


def credentials_of(user: User) -> list[tuple[str, str]]:
    """Return the names and hosts of the credentials that a bulk export of the user can name."""
    return [(row.name, row.host) for row in visible_credentials(user=user)]


def _started(request: HttpRequest, user: User, answers: Answers) -> HttpResponseBase:
    wish: dict[str, Any] = bulk_wish(answers.inputs)
    bulk = bulk_exports.start_bulk_export(user=user, name=answers.inputs.get("name", ""), **wish)
    messages.success(request, "The bulk export has been started.")
    return HttpResponseRedirect(reverse("console:bulk-export", args=[bulk.pk]))


def _digest(answers: Answers) -> str:
    wish = {name: value for name, value in answers.inputs.items() if name != "name"}
    return hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()


def _done(
    request: HttpRequest, bulk_export_id: UUID, change: Callable[[BulkExport], BulkExport], words: str
) -> HttpResponseBase:
    change(find_bulk_export(user=user_of(request), reference=bulk_export_id))
    messages.success(request, words)
    return HttpResponseRedirect(back_of(request, reverse("console:bulk-export", args=[bulk_export_id])))
