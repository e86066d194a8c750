"""Executions over REST: start them, list them, look at them, and control them."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.pagination import CursorPages
from backend.api.views import ApiViewSet
from backend.apps.authentication.models import User
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Scope
from backend.apps.workflows import execution_selectors
from backend.apps.workflows.access import get_execution
from backend.apps.workflows.api.input_names import named_as_sent
from backend.apps.workflows.definition_selectors import get_version
from backend.apps.workflows.definitions.write_only import shown_inputs
from backend.apps.workflows.models import WorkflowExecution
from backend.apps.workflows.selectors import steps_of
from backend.apps.workflows.serializers.executions import (
    ExecuteSerializer,
    ExecutionFilters,
    ExecutionSerializer,
    StartSerializer,
    StepWithResultSerializer,
    WholeExecutionSerializer,
)
from backend.apps.workflows.serializers.tasks import StepTaskFilters, TaskSerializer
from backend.apps.workflows.services import start_on_project

PARTS = ("state", "steps", "tasks", "events")
INPUTS = {"input_data": {"name": "my-service"}, "project": "acme-shop"}
EXECUTE_EXAMPLE = OpenApiExample("On a project", request_only=True, value=INPUTS)
START_EXAMPLE = OpenApiExample("By the workflow's name", request_only=True, value={"workflow": "hello", **INPUTS})


def started(view: ApiViewSet, execution: WorkflowExecution) -> Response:
    """Answer 202 with an execution that has just been started, and where to look for it."""
    response = view.one(execution, ExecutionSerializer, code=status.HTTP_202_ACCEPTED)
    response["Location"] = reverse("execution", args=[execution.pk])
    return response


@extend_schema_view(
    list=extend_schema(
        summary="List executions", parameters=[ExecutionFilters], responses=ExecutionSerializer(many=True)
    ),
    create=extend_schema(
        summary="Start an execution",
        request=StartSerializer,
        responses={202: ExecutionSerializer},
        examples=[START_EXAMPLE],
    ),
    retrieve=extend_schema(summary="Get an execution"),
)
class ExecutionViewSet(ApiViewSet):
    """Executions of workflows: those of the projects that the user is a member of, and the user's own."""

    serializer_class = WholeExecutionSerializer
    pagination_class = CursorPages
    lookup_url_kwarg = "execution_id"
    scopes: ClassVar = {"create": Scope.RUN, "execute": Scope.RUN}

    def list(self, request: Request) -> Response:
        """List executions, newest first."""
        filters = self.filters(request, ExecutionFilters)
        self.ordering = _ordering(filters.pop("ordering"))
        filters["started_by"] = filters.pop("user", None)
        return self.page(execution_selectors.list_executions(user=user_of(request), **filters), ExecutionSerializer)

    def create(self, request: Request) -> Response:
        """Start an execution of a workflow that is named by its id or its name.

        It is durable once this has answered: it runs when workers are there, whenever that is.
        """
        values = self.validated(request, StartSerializer)
        return self._start(user_of(request), workflow=values.pop("workflow"), **values)

    @extend_schema(
        summary="Execute a workflow",
        request=ExecuteSerializer,
        responses={202: ExecutionSerializer},
        examples=[EXECUTE_EXAMPLE],
    )
    def execute(self, request: Request, workflow_id: UUID) -> Response:
        """Start an execution of this workflow."""
        return self._start(user_of(request), workflow=workflow_id, **self.validated(request, ExecuteSerializer))

    def retrieve(self, request: Request, execution_id: UUID) -> Response:
        """Get one execution with its inputs, outputs, state and steps."""
        execution: Any = get_execution(user=user_of(request), execution_id=execution_id, whole=True)
        execution.shown_inputs = shown_inputs(execution.input_data, execution.version.definition.get("inputs", {}))
        execution.shown_steps = steps_of(execution)
        execution.links = links(execution_id)
        return self.one(execution)

    @extend_schema(summary="Get an execution's state", responses=OpenApiTypes.OBJECT)
    def state(self, request: Request, execution_id: UUID) -> Response:
        """Get what the steps have yielded so far: per step its status, and its result or error."""
        return Response(get_execution(user=user_of(request), execution_id=execution_id, whole=True).state)

    def _start(
        self,
        user: User,
        *,
        workflow: UUID | str,
        input_data: dict[str, Any],
        project: str | None = None,
        version: int | None = None,
    ) -> Response:
        where = project or input_data.get("project")
        wanted = get_version(user=user, workflow=workflow, number=version, project=where and str(where))
        with named_as_sent():
            return started(self, start_on_project(version=wanted, inputs=input_data, user=user, project=project))


@extend_schema_view(list=extend_schema(summary="List an execution's steps"))
class StepViewSet(ApiViewSet):
    """Steps of an execution."""

    serializer_class = StepWithResultSerializer

    def list(self, request: Request, execution_id: UUID) -> Response:
        """List an execution's steps with their results, in the definition's order."""
        return self.page(execution_selectors.steps_of_execution(user=user_of(request), execution_id=execution_id))


@extend_schema_view(list=extend_schema(summary="List an execution's tasks", parameters=[StepTaskFilters]))
class StepTaskViewSet(ApiViewSet):
    """Tasks of an execution's steps."""

    serializer_class = TaskSerializer
    pagination_class = CursorPages

    def list(self, request: Request, execution_id: UUID) -> Response:
        """List an execution's tasks as they were made: step by step, item by item, link by link."""
        filters = self.filters(request, StepTaskFilters)
        self.ordering = _ordering(filters.pop("ordering"))
        tasks = execution_selectors.tasks_of_execution(user=user_of(request), execution_id=execution_id, **filters)
        return self.page(tasks)


def links(execution_id: UUID) -> dict[str, str]:
    """Return where an execution and its parts are."""
    parts = {name: reverse(f"execution-{name}", args=[execution_id]) for name in PARTS}
    return {"self": reverse("execution", args=[execution_id]), **parts}


def _ordering(name: str) -> tuple[str, str]:
    return (name, "-id" if name.startswith("-") else "id")
