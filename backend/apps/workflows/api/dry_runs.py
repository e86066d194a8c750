"""Dry runs over REST: what a workflow would do, with nothing done."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.throttles import AddressThrottle, DryRunThrottle, UserThrottle
from backend.api.views import PlainViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Scope
from backend.apps.workflows.definition_selectors import get_version
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.dry_run_json import dry_run_as_json
from backend.apps.workflows.execution.reading import definition_of
from backend.apps.workflows.serializers.dry_runs import (
    DefinitionDryRunRequestSerializer,
    DryRunRequestSerializer,
    DryRunSerializer,
)
from backend.apps.workflows.services.dry_run import DryRun, dry_run

EXAMPLE = OpenApiExample(
    "On a project", request_only=True, value={"input_data": {"name": "my-service"}, "project": "acme-shop"}
)


class DryRunViewSet(PlainViewSet):
    """What workflows would do. Nothing is recorded, so there is nothing that an Idempotency-Key could repeat."""

    serializer_class = DryRunSerializer
    throttle_classes = (UserThrottle, AddressThrottle, DryRunThrottle)
    scopes: ClassVar = {"of_workflow": Scope.RUN, "of_definition": Scope.RUN}

    @extend_schema(summary="Say what a workflow would do", request=DryRunRequestSerializer, examples=[EXAMPLE])
    def of_workflow(self, request: Request, workflow_id: UUID) -> Response:
        """Work out which files an execution would generate, which requests it would send and where it would push.

        Nothing is done and nothing is recorded. It takes the rights that starting it takes. What only the run can tell,
        such as an API's answer, stands between « and », and so does what depends on it.
        """
        values = self.validated(request, DryRunRequestSerializer)
        version = get_version(user=user_of(request), workflow=workflow_id, number=values.get("version"))
        return self._answer(
            dry_run(
                definition=definition_of(version.pk),
                inputs=values["input_data"],
                user=user_of(request),
                project=values.get("project"),
                items=values["items"],
            )
        )

    @extend_schema(
        operation_id="workflows_definition_dry_run_create",
        summary="Say what a definition would do",
        request=DefinitionDryRunRequestSerializer,
    )
    def of_definition(self, request: Request) -> Response:
        """The same for a definition that is given along; it is not saved."""
        values = self.validated(request, DefinitionDryRunRequestSerializer)
        return self._answer(
            dry_run(
                definition=check_definition(values["definition"]),
                inputs=values["input_data"],
                user=user_of(request),
                project=values.get("project"),
                items=values["items"],
            )
        )

    def _answer(self, run: DryRun) -> Response:
        return self.one(dry_run_as_json(run))
