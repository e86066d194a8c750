"""What is told of a task while a worker does it: its ids on every log line, and its span in the trace of its run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import Error

from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.run import Completed, Failed, Outcome, Parked, TryAgain
from backend.apps.workflows.execution.statements import as_value, fetch
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.telemetry import tracing
from backend.telemetry.about import about
from backend.telemetry.tracing import Span

_TRACE_PARENTS = f"""
    SELECT e."trace_parent", t."trace_parent" FROM "{TaskExecution._meta.db_table}" AS t
    LEFT JOIN "{WorkflowExecution._meta.db_table}" AS e ON e."id" = t."execution_id" WHERE t."id" = %s
"""  # noqa: S608  (names of tables)


class Observation:
    """One task in one worker."""

    def __init__(self, known: dict[str, str], span: Span) -> None:
        self._known = known
        self._span = span

    def begun(self, claimed: ClaimedTask) -> None:
        """Tell what has been claimed."""
        self._known["attempt"] = str(claimed.attempt)
        if claimed.execution_id is not None:
            self._known |= {"run": str(claimed.execution_id), "step": claimed.step_id}
        self._span.note(run=self._known.get("run"), step=self._known.get("step"), attempt=claimed.attempt)

    def telling(self, service: Callable[[ClaimedTask], Any]) -> Callable[[ClaimedTask], Any]:
        """Return the service as it is, but for telling first what has been claimed."""

        def told(claimed: ClaimedTask) -> Any:  # noqa: ANN401  (JSON)
            self.begun(claimed)
            return service(claimed)

        return told

    def ended(self, outcome: Outcome) -> None:
        """Tell how it ended."""
        match outcome:
            case Completed():
                self._span.note(outcome="completed")
            case Failed(code):
                self._span.note(outcome="failed")
                self._span.fail(code)
            case TryAgain(seconds):
                self._span.note(outcome="again", seconds=seconds)
            case Parked(why):
                self._span.note(outcome=why)


@contextmanager
def observed(task_id: UUID, *, method: str, parent: str = "") -> Iterator[Observation]:
    """Observe the block in which a task is done.

    parent: the `traceparent` that its message came with; without one the database is asked.
    """
    if not parent and tracing.enabled():
        parent = trace_parent_of(task_id)
    with about(task=task_id) as known, tracing.span(method, kind="consumer", parent=parent, task=str(task_id)) as span:
        yield Observation(known, span)


def trace_parent_of(task_id: UUID) -> str:
    """Return what continues the trace of the task's run, or of a task on its own; empty without one."""
    try:
        rows = fetch(_TRACE_PARENTS, [as_value(TaskExecution, "id", task_id)])
    except Error:
        # The claim waits for the database; what is only told does not.
        return ""
    return next((of_run or own for of_run, own in rows), "")
