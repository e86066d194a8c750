"""Tasks over REST: find one, call a service method on its own, and settle what is in doubt."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID, uuid4

from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.pagination import CursorPages
from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Right, Scope
from backend.apps.workflows.access import find_project, get_task
from backend.apps.workflows.execution_selectors import list_tasks
from backend.apps.workflows.serializers.tasks import (
    CallSerializer,
    ResolveSerializer,
    TaskFilters,
    TaskSerializer,
    TaskWithResultSerializer,
)
from backend.apps.workflows.services import enqueue_method, resolve_task

CALL_EXAMPLE = OpenApiExample(
    "Write a file",
    request_only=True,
    value={
        "method": "generation.write_file",
        "arguments": {"path": "README.md", "content": "# Hello\n"},
        "project": "acme-shop",
    },
)


@extend_schema_view(
    list=extend_schema(summary="List tasks", parameters=[TaskFilters], responses=TaskSerializer(many=True)),
    create=extend_schema(
        summary="Call a service method",
        request=CallSerializer,
        responses={202: TaskWithResultSerializer},
        examples=[CALL_EXAMPLE],
    ),
    retrieve=extend_schema(summary="Get a task"),
)
class TaskViewSet(ApiViewSet):
    """Tasks: calls of service methods, in an execution's step or on their own."""

    serializer_class = TaskWithResultSerializer
    pagination_class = CursorPages
    lookup_url_kwarg = "task_id"
    scopes: ClassVar = {"create": Scope.RUN, "resolve": Scope.RUN}

    def list(self, request: Request) -> Response:
        """List calls that were made on their own, newest first; or an execution's tasks, or all that are in doubt."""
        filters = self.filters(request, TaskFilters)
        ordering = filters.pop("ordering")
        self.ordering = (ordering, "-id" if ordering.startswith("-") else "id")
        return self.page(list_tasks(user=user_of(request), **filters), TaskSerializer)

    def create(self, request: Request) -> Response:
        """Do one service method as an idempotent, retried task, outside any workflow.

        With a `key` the work has a name of its own among yours: the same key with the same call gives the same task.
        """
        user = user_of(request)
        values = self.validated(request, CallSerializer)
        # A name of one user's must not be another's, nor one that the engine will give.
        key = f"call/{user.pk}/{values.get('key') or uuid4()}"
        project = values.get("project")
        found = find_project(user=user, reference=project, right=Right.RUN) if project else None
        task = enqueue_method(
            method=values["method"],
            arguments=values["arguments"],
            key=key,
            user=user,
            project_id=found.id if found else None,
            project_name=found.name if found else "",
            max_retries=values["max_retries"],
        )
        response = self.one(task, code=status.HTTP_202_ACCEPTED)
        response["Location"] = reverse("task", args=[task.pk])
        return response

    def retrieve(self, request: Request, task_id: UUID) -> Response:
        """Get one task with its result or error."""
        return self.one(get_task(user=user_of(request), task_id=task_id))

    @extend_schema(summary="Settle a task in doubt", request=ResolveSerializer, responses=TaskWithResultSerializer)
    def resolve(self, request: Request, task_id: UUID) -> Response:
        """Say what became of a task that is in doubt, after you have looked; its step and its execution then go on."""
        user = user_of(request)
        get_task(user=user, task_id=task_id, control=True)
        values = self.validated(request, ResolveSerializer)
        resolve_task(task_id=task_id, user=user, **values)
        return self.one(get_task(user=user, task_id=task_id))
