"""Forgets what agents did long ago: an audit trail that nobody reads any more would grow without end."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from backend.apps.agents.models import AgentAction

AT_ONCE = 1_000
"""Rows that one statement removes, so that no lock is held for long."""


def forget_old_actions(*, now: datetime) -> int:
    """Delete the rows that began longer than AGENT_ACTIONS_KEPT before `now`, however they ended.

    Returns how many there were.
    """
    old = AgentAction.objects.filter(created_at__lt=now - settings.AGENT_ACTIONS_KEPT).order_by("created_at", "pk")
    forgotten = 0
    while ids := list(old.values_list("pk", flat=True)[:AT_ONCE]):
        forgotten += AgentAction.objects.filter(pk__in=ids).delete()[0]
    return forgotten
