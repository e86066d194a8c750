"""Where a run stands as a list says it: `waiting`, and for what, where it runs and nothing of it can go on now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from backend.apps.workflows.models import WorkflowExecution
from backend.apps.workflows.overview_selectors import waits_of
from backend.apps.workflows.selectors import standing_word


def show_standing(runs: Sequence[WorkflowExecution]) -> None:
    """Give each run what its template shows: `standing`, and `wait`, which is None unless it waits. One query."""
    waits = waits_of(runs, now=timezone.now())
    for run in runs:
        row: Any = run
        row.wait = waits.get(run.pk)
        row.standing = "waiting" if row.wait else standing_word(run)
