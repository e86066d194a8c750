"""Controls of an execution over REST: pause, resume, cancel, retry a step, and run it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Right, Scope
from backend.apps.workflows import services
from backend.apps.workflows.access import find_project, get_execution
from backend.apps.workflows.api.executions import started
from backend.apps.workflows.api.input_names import named_as_sent
from backend.apps.workflows.models import WorkflowExecution
from backend.apps.workflows.serializers.executions import (
    CancelSerializer,
    ExecutionSerializer,
    RerunSerializer,
    RetrySerializer,
)
from backend.errors import InvalidInput


class ExecutionControlViewSet(ApiViewSet):
    """What can be done to an execution. What its present state does not allow is a 409 that says why."""

    serializer_class = ExecutionSerializer
    lookup_url_kwarg = "execution_id"
    scopes: ClassVar = dict.fromkeys(("pause", "resume", "cancel", "retry", "rerun"), Scope.RUN)

    @extend_schema(summary="Pause an execution", request=None, responses=ExecutionSerializer)
    def pause(self, request: Request, execution_id: UUID) -> Response:
        """Let nothing more begin. What runs is let finish, and its results are kept."""
        return self._done(request, execution_id, services.pause_execution)

    @extend_schema(summary="Resume an execution", request=None, responses=ExecutionSerializer)
    def resume(self, request: Request, execution_id: UUID) -> Response:
        """Let a paused execution go on, or a failed one at the steps that failed; earlier results are kept."""
        return self._done(request, execution_id, services.resume_execution)

    @extend_schema(summary="Cancel an execution or a step", request=CancelSerializer, responses=ExecutionSerializer)
    def cancel(self, request: Request, execution_id: UUID) -> Response:
        """Cancel it, or one step of it: what waits at once, what runs in seconds; `cancelling` is true until then."""
        get_execution(user=user_of(request), execution_id=execution_id, control=True)
        step = self.validated(request, CancelSerializer).get("step")
        if step is None:
            return self._done(request, execution_id, services.cancel_execution)
        return self._done(request, execution_id, services.cancel_step, step_id=step)

    @extend_schema(summary="Retry a step", request=RetrySerializer, responses=ExecutionSerializer)
    def retry(self, request: Request, execution_id: UUID) -> Response:
        """Do a failed or cancelled step again from its first unfinished task, and what was skipped because of it."""
        get_execution(user=user_of(request), execution_id=execution_id, control=True)
        step = self.validated(request, RetrySerializer)["step"]
        return self._done(request, execution_id, services.retry_step, step_id=step)

    @extend_schema(summary="Run an execution again", request=RerunSerializer, responses={202: ExecutionSerializer})
    def rerun(self, request: Request, execution_id: UUID) -> Response:
        """Start a new execution of the same version on the same project, with the same inputs but for those given.

        It is yours, whoever started the old one, which stays as it is.
        """
        user = user_of(request)
        old = get_execution(user=user, execution_id=execution_id, control=True)
        changed = self.validated(request, RerunSerializer)["input_data"]
        if old.project_id is not None:
            find_project(user=user, reference=str(old.project_id), right=Right.RUN)
            if "project" in changed and changed["project"] != str(old.project_id):
                raise InvalidInput("A rerun works on the same project.", field="input_data.project")
        with named_as_sent():
            return started(self, services.rerun_execution(execution_id=execution_id, user=user, inputs=changed))

    def _done(
        self,
        request: Request,
        execution_id: UUID,
        control: Callable[..., WorkflowExecution],
        **more: Any,  # noqa: ANN401  (the control's own arguments)
    ) -> Response:
        user = user_of(request)
        get_execution(user=user, execution_id=execution_id, control=True)
        control(execution_id=execution_id, user=user, **more)
        return self.one(get_execution(user=user, execution_id=execution_id))
