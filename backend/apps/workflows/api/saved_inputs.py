"""Saved inputs over REST: what the console's form keeps by a name, to look at and to start with."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Scope
from backend.apps.workflows.api.executions import started
from backend.apps.workflows.api.input_names import named_as_sent
from backend.apps.workflows.definition_selectors import get_version, get_workflow
from backend.apps.workflows.serializers.executions import ExecutionSerializer
from backend.apps.workflows.serializers.saved_inputs import (
    ExecuteSavedSerializer,
    KeptInputsSerializer,
    SavedInputsSerializer,
    SaveInputsSerializer,
    WholeSavedInputsSerializer,
)
from backend.apps.workflows.services import start_on_project
from backend.apps.workflows.services.saved_inputs import (
    remove_saved_inputs,
    save_inputs,
    saved_inputs,
    saved_inputs_of,
)

SAVE = OpenApiExample(
    "For the nightly build", request_only=True, value={"name": "nightly", "input_data": {"name": "my-service"}}
)
START = OpenApiExample("On a project", request_only=True, value={"project": "acme-shop"})


@extend_schema_view(
    list=extend_schema(summary="List saved inputs", responses=SavedInputsSerializer(many=True)),
    create=extend_schema(
        summary="Save inputs",
        request=SaveInputsSerializer,
        responses={200: KeptInputsSerializer, 201: KeptInputsSerializer},
        examples=[SAVE],
    ),
    retrieve=extend_schema(summary="Get saved inputs"),
    destroy=extend_schema(summary="Remove saved inputs"),
)
class SavedInputsViewSet(ApiViewSet):
    """Inputs of a workflow that the user keeps by a name. They are theirs alone, and no secret is among them."""

    serializer_class = WholeSavedInputsSerializer
    lookup_url_kwarg = "saved_id"
    scopes: ClassVar = {"execute": Scope.RUN}

    def list(self, request: Request, workflow_id: UUID) -> Response:
        """List the inputs that you have kept for a workflow, by name, without their values."""
        workflow = get_workflow(user=user_of(request), workflow_id=workflow_id)
        return self.page(saved_inputs(user=user_of(request), workflow=workflow), SavedInputsSerializer)

    def create(self, request: Request, workflow_id: UUID) -> Response:
        """Keep inputs by a name. 201 for a new name; 200 where what you had kept by it is replaced.

        Secrets are not kept: `left_out` names those that were given.
        """
        user = user_of(request)
        values = self.validated(request, SaveInputsSerializer)
        version = get_version(user=user, workflow=workflow_id, number=values.get("version"))
        with named_as_sent():
            saved = save_inputs(
                user=user,
                workflow=version.workflow,
                name=values["name"],
                inputs=values["input_data"],
                schema=version.definition.get("inputs", {}),
            )
        if saved.replaced:
            return self.one(saved, KeptInputsSerializer)
        location = reverse("saved-inputs", args=[saved.workflow_id, saved.pk])
        return self.created(saved, KeptInputsSerializer, location=location)

    def retrieve(self, request: Request, workflow_id: UUID, saved_id: UUID) -> Response:
        """Get saved inputs with their values."""
        return self.one(saved_inputs_of(user=user_of(request), workflow_id=workflow_id, saved_id=saved_id))

    def destroy(self, request: Request, workflow_id: UUID, saved_id: UUID) -> Response:
        """Remove saved inputs. What was started with them goes on."""
        found = saved_inputs_of(user=user_of(request), workflow_id=workflow_id, saved_id=saved_id)
        remove_saved_inputs(user=user_of(request), saved_id=found.pk)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="Execute a workflow with saved inputs",
        request=ExecuteSavedSerializer,
        responses={202: ExecutionSerializer},
        examples=[START],
    )
    def execute(self, request: Request, workflow_id: UUID, saved_id: UUID) -> Response:
        """Start an execution with the saved inputs, and with those given here in place of the same ones."""
        user = user_of(request)
        values = self.validated(request, ExecuteSavedSerializer)
        kept = saved_inputs_of(user=user, workflow_id=workflow_id, saved_id=saved_id)
        version = get_version(user=user, workflow=workflow_id, number=values.get("version"))
        with named_as_sent():
            return started(
                self,
                start_on_project(
                    version=version,
                    inputs={**kept.inputs, **values["input_data"]},
                    user=user,
                    project=values.get("project"),
                ),
            )
