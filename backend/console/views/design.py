"""The design system on a page of its own: every token and every component, as the other pages use them."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from backend.console.pages import page
from backend.console.templatetags.console import STATES

INKS = ("ink", "ink-2", "ink-3", "accent", "brand")
GROUNDS = ("ground", "surface", "surface-2", "line", "line-2", "accent-soft")
ICONS = (
    *("house", "play", "workflow", "folder", "package", "calendar-clock", "key-round", "server", "check", "x"),
    *("loader-circle", "pause", "clock", "ban", "skip-forward", "search", "download", "external-link", "user", "plus"),
    *("rotate-ccw", "repeat", "triangle-alert", "info", "copy", "file-code", "file-diff", "pencil", "trash-2"),
    *("upload", "git-branch", "git-commit-horizontal", "history", "activity", "database", "hard-drive", "archive"),
)


@page
def design(request: HttpRequest) -> HttpResponseBase:
    """Show the design system."""
    now = timezone.now()
    context = {
        "states": STATES,
        "inks": INKS,
        "grounds": GROUNDS,
        "icons": ICONS,
        "moments": [now - timedelta(seconds=5), now - timedelta(minutes=4), now - timedelta(days=3)],
        "durations": [0.42, 7.0, 84.0, 7322.0],
    }
    return render(request, "console/design.html", context)
