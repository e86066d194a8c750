"""All the Celery glue: turns a function of one service call into a task.

A task's message is the id of a TaskExecution. The decorated function never sees the message; it gets the claimed
task and its arguments from the database, and its result goes back there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from celery import Task
from celery.exceptions import Ignore, SoftTimeLimitExceeded
from celery.utils.log import get_task_logger

from backend.apps.credentials.services.redaction import clean, without
from backend.apps.credentials.services.sealing import open_tokens, secrets_in
from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.persistence import leaving_no_transaction
from backend.apps.workflows.execution.run import Completed, Failed, Outcome, TryAgain, execute
from backend.config.celery import app
from backend.errors import ConfigurationError, RepomillError, TimeLimitExceeded
from backend.telemetry import tracing
from workers.call import TaskCall
from workers.interruption import interruption
from workers.observation import observed

logger = get_task_logger(__name__)

Body = Callable[..., Any]
Afterwards = Callable[[Sequence[UUID]], None]
Together = Callable[..., list[UUID]]
methods: dict[str, Body] = {}
"""Every method there is a task for, by name."""


class TaskFailed(Exception):
    """The task has failed; its row says how. Celery is told so that the rest of the chain is not sent."""


class ServiceTask(Task[Any, Any]):
    """The base of all service tasks."""

    abstract = True
    body: Body | None = None
    """The decorated function; None for this base itself."""

    def apply_async(self, args: Any = None, kwargs: Any = None, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        """Send a message. Raises TypeError for anything but a TaskExecution's id: arguments never travel."""
        if kwargs or not args or len(args) != 1 or not _is_id(args[0]):
            raise TypeError(
                f"The task {self.name} takes the id of a TaskExecution and nothing else;"
                " use backend.apps.workflows.services.enqueue_method to record one and send it."
            )
        return super().apply_async(args, kwargs, *rest, **options)

    def signature_from_request(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Keep a retried message readable: Celery drops `argsrepr` from it."""
        signature: Any = super().signature_from_request(*args, **kwargs)
        request: Any = self.request
        return signature.set(argsrepr=request.argsrepr, kwargsrepr=request.kwargsrepr)


def service_task(
    name: str, *, afterwards: Afterwards | None = None, together: Together | None = None
) -> Callable[[Body], ServiceTask]:
    """Register `body` as the task `name`, which is permanent: messages of older versions carry it.

    body: takes a TaskCall and the method's arguments by keyword, makes one service call, and returns JSON.
    afterwards: is called with the rows' ids once an attempt's outcome is written. A worker may be lost before that, so
        what it does must be made good by other means.
    together: does the task of a row's id with others like it (`worker` is the worker's name), and returns all that it
        had; none where the task has to be done by itself.
    """

    def register(body: Body) -> ServiceTask:
        if name in methods:
            raise ConfigurationError(f"Two tasks are called {name!r}.", field=name)
        methods[name] = body

        @functools.wraps(body)
        def run(self: ServiceTask, task_id: str) -> None:
            _run(self, body, UUID(task_id), afterwards, together)

        make = app.task(name=name, base=ServiceTask, bind=True, max_retries=None, typing=False, throws=(TaskFailed,))
        made: ServiceTask = make(run)
        made.body = staticmethod(body)
        return made

    return register


def _run(
    task: ServiceTask,
    body: Body,
    task_id: UUID,
    afterwards: Afterwards | None = None,
    together: Together | None = None,
) -> None:
    worker = str(task.request.hostname or "inline")
    parent = str((task.request.headers or {}).get(tracing.HEADER, ""))
    with leaving_no_transaction(), observed(task_id, method=task.name, parent=parent) as observation:
        outcome: Outcome = Completed()
        had = together(task_id, worker=worker) if together is not None else []
        if not had:
            service = observation.telling(functools.partial(_serve, body))
            outcome = execute(task_id, service=service, worker=worker, interruption=interruption())
        observation.ended(outcome)
        if afterwards is not None and not isinstance(outcome, TryAgain):
            afterwards(had or [task_id])
    match outcome:
        case Completed():
            return
        case TryAgain(seconds):
            raise task.retry(countdown=seconds)
        case Failed(code):
            # Only the code: the row has the words, and an exception's text goes to the broker and to Flower.
            raise TaskFailed(code)
        case parked:
            logger.info("task %s is left alone: %s", task_id, parked.why)
            raise Ignore


def _serve(body: Body, claimed: ClaimedTask) -> Any:  # noqa: ANN401  (JSON)
    # Secrets that were given with the work are opened here and nowhere before; whatever answers may repeat them.
    arguments = open_tokens(claimed.arguments, execution_id=claimed.execution_id or claimed.id)
    secrets = secrets_in(arguments)
    try:
        with leaving_no_transaction():
            return without(body(TaskCall(claimed), **arguments), secrets)
    except SoftTimeLimitExceeded as error:
        raise TimeLimitExceeded(hint="Raise timeout_seconds of the step, or give it less to do.") from error
    except RepomillError as error:
        clean(error, secrets)
        raise


def _is_id(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return isinstance(value, str)
