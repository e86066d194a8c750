"""Hands a task back that is under way where its worker has to stop: another one begins it at once."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from backend.apps.workflows.execution.chains import rest_of_chain, send
from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.reading import lock_execution
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.publishing import sending

Status = TaskExecution.Status


def hand_back(claimed: ClaimedTask) -> bool:
    """Put an interrupted attempt's task back to pending, and send for another worker.

    What it had begun by then may be there: to the next attempt it is as if the worker had been lost.
    Returns False, having changed nothing, where the attempt has been overtaken or is to be cancelled.
    """
    with transaction.atomic():
        execution = lock_execution(claimed.execution_id)
        mine = TaskExecution.objects.filter(
            pk=claimed.id, status=Status.RUNNING, attempt=claimed.attempt, cancel_requested_at=None
        )
        again = sending(timezone.now())
        if not mine.update(status=Status.PENDING, lost_worker=True, lease_expires_at=None, **again):
            return False
        if execution is not None:
            history = History(execution.pk)
            history.add(
                "task_handed_back",
                step_id=claimed.step_id,
                task_id=claimed.id,
                method=claimed.method,
                attempt=claimed.attempt,
            )
            history.write()
        send(rest_of_chain(TaskExecution.objects.defer("arguments").get(pk=claimed.id)))
    return True
