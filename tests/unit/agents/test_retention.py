"""The audit trail of agents is kept for as long as is set, and not longer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from backend.apps.agents.models import AgentAction
from backend.apps.agents.services import retention
from backend.apps.authentication.models import User
from workers.maintenance.tasks import forget_agent_actions

pytestmark = pytest.mark.django_db


def acted(user: User, *, days_ago: float, status: str = "done") -> AgentAction:
    row = AgentAction.objects.create(user=user, via="python", action="files.read", status=status)
    AgentAction.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(days=days_ago))
    return row


def test_what_is_older_goes_and_the_rest_stays(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.AGENT_ACTIONS_KEPT = timedelta(days=30)
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    user = User.objects.create_user("ada")
    # What was cut off is begun for ever, and goes with its time too.
    for status in ("done", "refused", "failed", "begun", "done"):
        acted(user, days_ago=30.1, status=status)
    kept = {acted(user, days_ago=days).pk for days in (29.9, 1, 0)}
    forget_agent_actions()
    assert set(AgentAction.objects.values_list("pk", flat=True)) == kept
    assert retention.forget_old_actions(now=timezone.now()) == 0
