"""Workflows and their versions over REST: what definitions there are, and new ones."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Scope
from backend.apps.workflows import definition_selectors, step_types
from backend.apps.workflows.access import home_of
from backend.apps.workflows.api.parsers import JSONDefinition, YAMLDefinition
from backend.apps.workflows.definitions.check import check_source
from backend.apps.workflows.definitions.published import published_schema
from backend.apps.workflows.definitions.source import Source
from backend.apps.workflows.errors import InvalidDefinition
from backend.apps.workflows.methods import known_methods
from backend.apps.workflows.models import WorkflowVersion
from backend.apps.workflows.serializers.definitions import (
    CheckedSerializer,
    MethodSerializer,
    SaveQuery,
    StepTypeSerializer,
    VersionSerializer,
    WholeVersionSerializer,
    WorkflowFilters,
    WorkflowSerializer,
)
from backend.apps.workflows.services import save_definition

DEFINITION: dict[Any, Any] = {"application/json": OpenApiTypes.OBJECT, "application/yaml": OpenApiTypes.OBJECT}
EXAMPLE = OpenApiExample(
    "Write a file",
    request_only=True,
    media_type="application/json",
    value={
        "name": "hello",
        "inputs": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        "steps": [
            {"id": "files", "type": "file_generation", "config": {"readme": "# Hello ${{ inputs.name }}\n"}},
        ],
    },
)


@extend_schema_view(
    list=extend_schema(summary="List workflows", parameters=[WorkflowFilters]),
    create=extend_schema(
        summary="Save a definition",
        request=DEFINITION,
        parameters=[SaveQuery],
        responses={200: WholeVersionSerializer, 201: WholeVersionSerializer},
        examples=[EXAMPLE],
    ),
    retrieve=extend_schema(summary="Get a workflow"),
)
class WorkflowViewSet(ApiViewSet):
    """Workflows: named definitions of the installation, a project or a user. Their wording is in their versions."""

    serializer_class = WorkflowSerializer
    parser_classes = (JSONDefinition, YAMLDefinition)
    lookup_url_kwarg = "workflow_id"
    scopes: ClassVar = {"check": Scope.READ}

    def list(self, request: Request) -> Response:
        """List the workflows that you may see by name, each with what its newest version says of it."""
        filters = self.filters(request, WorkflowFilters)
        return self.page(definition_selectors.workflows(user=user_of(request), **filters))

    def create(self, request: Request) -> Response:
        """Save a definition, JSON or YAML, as the next version of the workflow that it names.

        It is yours; with `project` it is the project's, whose members see it; an operator's is everybody's.
        201 for a new version; 200 with the version there is where the workflow has had the same wording before.
        """
        user = user_of(request)
        home = home_of(user=user, project=self.filters(request, SaveQuery).get("project"))
        definition = check_source(_source(request))
        known = WorkflowVersion.objects.filter(
            workflow__name=definition.name, digest=definition.digest, **{f"workflow__{k}": v for k, v in home.items()}
        ).exists()
        version = save_definition(definition, **home)
        location = reverse("workflow-version", args=[version.workflow_id, version.number])
        if known:
            return self.one(version, WholeVersionSerializer)
        return self.created(version, WholeVersionSerializer, location=location)

    def retrieve(self, request: Request, workflow_id: UUID) -> Response:
        """Get one workflow."""
        return self.one(definition_selectors.get_workflow(user=user_of(request), workflow_id=workflow_id))

    @extend_schema(summary="Check a definition", request=DEFINITION, responses=CheckedSerializer, examples=[EXAMPLE])
    def check(self, request: Request) -> Response:
        """Say whether a definition would be taken, and what is wrong with it at which line. Nothing is stored."""
        said: dict[str, Any] = {"valid": True, "name": None, "steps": [], "errors": []}
        try:
            definition = check_source(_source(request))
        except InvalidDefinition as error:
            fault = {name: error.place.get(name) for name in ("path", "line", "step")}
            expected = error.place.get("expected") or error.hint
            fault |= {"code": error.code, "message": error.message, "expected": expected}
            said |= {"valid": False, "errors": [fault]}
        else:
            said |= {"name": definition.name, "steps": [step.id for step in definition.steps]}
        return self.one(said, CheckedSerializer)


@extend_schema_view(
    list=extend_schema(summary="List a workflow's versions"),
    retrieve=extend_schema(summary="Get a version of a workflow", responses=WholeVersionSerializer),
)
class VersionViewSet(ApiViewSet):
    """Versions of a workflow. A version never changes."""

    serializer_class = VersionSerializer
    lookup_url_kwarg = "number"

    def list(self, request: Request, workflow_id: UUID) -> Response:
        """List a workflow's versions, newest first."""
        return self.page(definition_selectors.versions_of(user=user_of(request), workflow_id=workflow_id))

    def retrieve(self, request: Request, workflow_id: UUID, number: int) -> Response:
        """Get one version with its wording."""
        version = definition_selectors.get_version(user=user_of(request), workflow=workflow_id, number=number)
        return self.one(version, WholeVersionSerializer)


class VocabularyViewSet(ApiViewSet):
    """What definitions and calls can be made of in this installation."""

    pagination_class = None
    serializer_class = StepTypeSerializer

    @extend_schema(summary="Get the JSON Schema of definitions", responses=OpenApiTypes.OBJECT)
    def definition_schema(self, request: Request) -> Response:  # noqa: ARG002
        """Get the JSON Schema of definitions, for editors: with the config of every step type there is."""
        return Response(published_schema(), status=status.HTTP_200_OK)

    @extend_schema(summary="List step types", responses=StepTypeSerializer(many=True))
    def step_types(self, request: Request) -> Response:  # noqa: ARG002
        """List the step types that definitions can use, each with the schema of its config."""
        found = [step_types.get(name) for name in step_types.names()]
        return Response(StepTypeSerializer(found, many=True).data)

    @extend_schema(summary="List service methods", responses=MethodSerializer(many=True))
    def methods(self, request: Request) -> Response:  # noqa: ARG002
        """List the service methods that a task can call, and what each takes."""
        return Response(MethodSerializer(list(known_methods().values()), many=True).data)


def _source(request: Request) -> Source:
    """Return what one of the parsers has read; an empty body, which none is asked for, is an empty definition."""
    source: Any = request.data
    return source if isinstance(source, Source) else Source(None)
