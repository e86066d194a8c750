"""Tidies up after sessions and tokens that have expired. It reads no token, so that workers need no REST framework."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.utils import timezone

from backend.apps.authentication.models import EndedRefreshToken


def forget_expired() -> int:
    """Delete sessions, and what is kept of refresh tokens, that have expired by now. Returns how many tokens."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    return EndedRefreshToken.objects.filter(expires_at__lt=timezone.now()).delete()[0]
