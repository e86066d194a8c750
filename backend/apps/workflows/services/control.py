"""Pauses, resumes, cancels, retries and settles executions.

Each function takes the execution's row lock, asks `decisions.control` whether it is allowed, and raises Conflict with
the reason where not; so doing a thing twice says so the second time. `user` is who does it, by name in the history; the
caller has checked that they may. Messages leave after the commit.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, TypeVar
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.workflows.decisions.control import (
    Refusal,
    Reopening,
    decide_cancel_step,
    decide_reopening,
    decide_resume,
    decide_retry_step,
    refusal,
)
from backend.apps.workflows.execution import cancelling, reopening
from backend.apps.workflows.execution.advance import advance, state_of
from backend.apps.workflows.execution.events import History
from backend.apps.workflows.execution.reading import definition_of, lock_execution
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.selectors import standing_word, steps_of
from backend.apps.workflows.services.secret_inputs import inputs_again
from backend.apps.workflows.services.start import start_execution
from backend.errors import Conflict, NotFound

Decision = TypeVar("Decision")
Control = Literal["pause", "resume", "cancel", "cancel_step", "retry_step", "resolve", "rerun"]


def pause_execution(*, execution_id: UUID, user: User) -> WorkflowExecution:
    """Let nothing more begin. What runs is let finish, and its results are written back.

    Raises Conflict where the execution is not running, or is paused already; NotFound where there is none.
    """
    with transaction.atomic():
        execution = locked(execution_id, control="pause")
        execution.paused_at = timezone.now()
        execution.save(update_fields=["paused_at", "updated_at"])
        history = History(execution.pk)
        history.add("execution_paused", by=user.get_username())
        history.write()
    return execution


def resume_execution(*, execution_id: UUID, user: User) -> WorkflowExecution:
    """Let a paused execution go on, or a failed one at the steps that failed, with all earlier results kept.

    Raises Conflict where it is neither, or where a task of a failed step is in doubt; NotFound where there is none.
    """
    with transaction.atomic():
        execution = locked(execution_id, control="resume")
        history = History(execution.pk)
        if execution.paused_at is not None:
            execution.paused_at = None
            execution.save(update_fields=["paused_at", "updated_at"])
            history.add("execution_resumed", by=user.get_username())
            reopening.send_waiting(execution)
        else:
            decided = allowed(
                decide_resume(
                    definition_of(execution.version_id),
                    {step.step_id: state_of(step) for step in steps_of(execution, results=False)},
                    in_doubt=_steps_in_doubt(execution),
                )
            )
            history.add("execution_resumed", by=user.get_username(), steps=list(decided.reopen))
            reopening.reopen(execution, decided, history)
        advance(execution, history)
        history.write()
    return execution


def cancel_execution(*, execution_id: UUID, user: User) -> WorkflowExecution:
    """Cancel an execution: what waits at once, and what runs as soon as its worker has noticed, within seconds.

    It is `cancelled` when nothing of it runs any more, which may be now. Raises Conflict where it has ended or is being
    cancelled already, NotFound where there is none.
    """
    with transaction.atomic():
        execution = locked(execution_id, control="cancel")
        name = user.get_username()
        execution.paused_at = None
        execution.cancel_requested_at = timezone.now()
        execution.error = cancelling.cancelled_by(name)
        execution.save(update_fields=["paused_at", "cancel_requested_at", "error", "updated_at"])
        history = History(execution.pk)
        history.add("execution_cancelling", by=name)
        steps = [step for step in steps_of(execution, results=False) if step.status in cancelling.OPEN]
        cancelling.cancel_steps(execution, steps, history, by=name)
        advance(execution, history)
        history.write()
    return execution


def cancel_step(*, execution_id: UUID, step_id: str, user: User) -> WorkflowExecution:
    """Cancel one step; what depends on it is skipped, unless it has `continue_on_error`.

    Raises Conflict where the step has ended or is being cancelled already, NotFound where there is no such step.
    """
    with transaction.atomic():
        execution = locked(execution_id, control="cancel_step")
        step = step_of(execution, step_id)
        allowed(decide_cancel_step(step_id, status=step.status, stopping=cancelling.is_stopping(step)))
        history = History(execution.pk)
        history.add("step_cancelling", step_id=step_id, by=user.get_username())
        cancelling.cancel_steps(execution, [step], history, by=user.get_username())
        advance(execution, history)
        history.write()
    return execution


def retry_step(*, execution_id: UUID, step_id: str, user: User) -> WorkflowExecution:
    """Do a failed or cancelled step again from its first unfinished link, and what was skipped because of it.

    A failed execution runs again then. Raises Conflict where the step is anything else or in doubt, NotFound where
    there is no such step.
    """
    with transaction.atomic():
        execution = locked(execution_id, control="retry_step")
        step = step_of(execution, step_id)
        doubtful = step_id in _steps_in_doubt(execution) and step.status != StepExecution.Status.RUNNING
        allowed(decide_retry_step(step_id, status=step.status, in_doubt=doubtful))
        history = History(execution.pk)
        history.add("step_retried", step_id=step_id, by=user.get_username())
        reopening.reopen(execution, reopening_of(execution, step_id), history)
        advance(execution, history)
        history.write()
    return execution


def rerun_execution(
    *, execution_id: UUID, user: User, inputs: dict[str, Any] | None = None, without: Collection[str] = ()
) -> WorkflowExecution:
    """Start a new execution of the same version on the same project, for `user`; the old one stays as it is.

    inputs: those that differ; the others are the old execution's, its secrets too while they are kept and where it was
        `user` who gave them.
    without: names of those of the old execution that are left out.
    Raises as `start_execution` does, InvalidInput for a secret that must be given again, and NotFound.
    """
    execution = WorkflowExecution.objects.select_related("version").filter(pk=execution_id).first()
    if execution is None:
        raise _no_execution(execution_id)
    return start_execution(
        version=execution.version,
        inputs=inputs_again(execution, user=user, given=inputs or {}, without=without),
        user=user,
        project_id=execution.project_id,
        project_name=execution.project_name,
        rerun_of=execution.pk,
    )


def locked(execution_id: UUID, *, control: Control) -> WorkflowExecution:
    """Lock an execution. Raises NotFound, or Conflict where the control is refused as it stands."""
    try:
        execution = lock_execution(execution_id)
    except WorkflowExecution.DoesNotExist:
        execution = None
    if execution is None:
        raise _no_execution(execution_id)
    allowed(refusal(control, standing_word(execution)))
    return execution


def step_of(execution: WorkflowExecution, step_id: str) -> StepExecution:
    """Return one step. Raises NotFound, naming those there are."""
    steps = {step.step_id: step for step in steps_of(execution, results=False)}
    if step_id not in steps:
        raise NotFound(
            f"The execution has no step {step_id[:100]!r}.", field="step", expected="one of " + ", ".join(steps)
        )
    return steps[step_id]


def reopening_of(execution: WorkflowExecution, step_id: str) -> Reopening:
    """Return what doing one step again means for the others."""
    states = {step.step_id: state_of(step) for step in steps_of(execution, results=False)}
    return decide_reopening(definition_of(execution.version_id), states, [step_id])


def _steps_in_doubt(execution: WorkflowExecution) -> set[str]:
    doubtful = TaskExecution.objects.filter(execution=execution, status=TaskExecution.Status.IN_DOUBT)
    return set(doubtful.values_list("step__step_id", flat=True))


def allowed(decision: Decision | Refusal) -> Decision:
    """Return what was decided. Raises Conflict for a Refusal."""
    if isinstance(decision, Refusal):
        raise Conflict(decision.reason, hint=decision.hint)
    return decision


def _no_execution(execution_id: UUID) -> NotFound:
    return NotFound(f"There is no execution {str(execution_id)!r}.", hint="See: repomill executions")
