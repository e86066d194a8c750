"""The members of a project over REST, and the project's handing over."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Right, Scope
from backend.apps.projects import membership_selectors
from backend.apps.projects.membership_serializers import (
    MemberFilters,
    MemberSerializer,
    NamedUser,
    NewMemberSerializer,
    RoleSerializer,
)
from backend.apps.projects.selectors import get_project
from backend.apps.projects.serializers import ProjectSerializer
from backend.apps.projects.services import membership


@extend_schema_view(
    list=extend_schema(summary="List a project's members", parameters=[MemberFilters]),
    create=extend_schema(summary="Add a member", request=NewMemberSerializer, responses={201: MemberSerializer}),
    retrieve=extend_schema(summary="Get a member"),
    partial_update=extend_schema(summary="Change a member's role", request=RoleSerializer),
    destroy=extend_schema(summary="Remove a member"),
)
class MemberViewSet(ApiViewSet):
    """Who may do what in a project."""

    serializer_class = MemberSerializer
    lookup_url_kwarg = "user_id"
    scopes: ClassVar[dict[str, Scope]] = {
        "create": Scope.MANAGE,
        "partial_update": Scope.MANAGE,
        "destroy": Scope.MANAGE,
    }

    def list(self, request: Request, project_id: UUID) -> Response:
        """List the project's owner and members by name, with their roles."""
        role = self.filters(request, MemberFilters).get("role")
        return self.page(membership_selectors.members_of(user=user_of(request), project_id=project_id, role=role))

    def create(self, request: Request, project_id: UUID) -> Response:
        """Add somebody as viewer, author or maintainer; for maintainers and the owner."""
        user = user_of(request)
        get_project(user=user, project_id=project_id, right=Right.MANAGE)
        member = membership.add_member(user=user, project_id=project_id, **self.validated(request, NewMemberSerializer))
        return self.created(member, location=reverse("member", args=[project_id, member.pk]))

    def retrieve(self, request: Request, project_id: UUID, user_id: UUID) -> Response:
        """Get the role of one of the project's members."""
        found = membership_selectors.get_member(user=user_of(request), project_id=project_id, member_id=user_id)
        return self.one(found)

    def partial_update(self, request: Request, project_id: UUID, user_id: UUID) -> Response:
        """Give a member another role; for maintainers and the owner."""
        user = user_of(request)
        get_project(user=user, project_id=project_id, right=Right.MANAGE)
        wanted = self.validated(request, RoleSerializer)
        changed = membership.change_role(user=user, project_id=project_id, member_id=user_id, **wanted)
        return self.one(changed)

    def destroy(self, request: Request, project_id: UUID, user_id: UUID) -> Response:
        """Remove a member; for maintainers and the owner, and for the member who leaves."""
        membership.remove_member(user=user_of(request), project_id=project_id, member_id=user_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(
    create=extend_schema(summary="Hand a project over", request=NamedUser, responses={200: ProjectSerializer}),
)
class TransferViewSet(ApiViewSet):
    """The handing over of a project to another owner."""

    serializer_class = ProjectSerializer
    scopes: ClassVar[dict[str, Scope]] = {"create": Scope.MANAGE}

    def create(self, request: Request, project_id: UUID) -> Response:
        """Make one of the members the owner; who owned it stays as a maintainer. For the owner."""
        user = user_of(request)
        get_project(user=user, project_id=project_id, right=Right.OWN)
        new = self.validated(request, NamedUser)
        return self.one(membership.transfer_project(user=user, project_id=project_id, **new))
