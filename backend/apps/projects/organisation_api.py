"""Organisations over REST: their members, and what they use of what their plan allows."""

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
from backend.apps.authentication.roles import Scope
from backend.apps.projects import organisation_selectors as selectors
from backend.apps.projects.organisation_serializers import (
    NewOrganisationMemberSerializer,
    OrganisationMemberSerializer,
    OrganisationRoleSerializer,
    OrganisationSerializer,
    UsageSerializer,
)
from backend.apps.projects.services import organisation_limits as limits
from backend.apps.projects.services import organisations

MANAGED: dict[str, Scope] = dict.fromkeys(("create", "partial_update", "destroy"), Scope.MANAGE)


@extend_schema_view(
    list=extend_schema(summary="List your organisations"),
    create=extend_schema(summary="Create an organisation", responses={201: OrganisationSerializer}),
    retrieve=extend_schema(summary="Get an organisation"),
    partial_update=extend_schema(summary="Change an organisation"),
    destroy=extend_schema(summary="Delete an organisation"),
)
class OrganisationViewSet(ApiViewSet):
    """Groups of projects with limits of their own."""

    serializer_class = OrganisationSerializer
    lookup_url_kwarg = "organisation_id"
    scopes: ClassVar[dict[str, Scope]] = MANAGED

    def list(self, request: Request) -> Response:
        """List the organisations that the user is in."""
        return self.page(selectors.visible_organisations(user=user_of(request)))

    def create(self, request: Request) -> Response:
        """Create an organisation with the user as its admin. Its plan is `free` until an operator changes it."""
        made = organisations.create_organisation(user=user_of(request), **self.validated(request))
        return self.created(made, location=reverse("organisation", args=[made.pk]))

    def retrieve(self, request: Request, organisation_id: UUID) -> Response:
        """Get one organisation."""
        return self.one(selectors.get_organisation(user=user_of(request), organisation_id=organisation_id))

    def partial_update(self, request: Request, organisation_id: UUID) -> Response:
        """Change the given fields; for admins, and `plan` and `is_active` for operators."""
        user = user_of(request)
        selectors.get_organisation(user=user, organisation_id=organisation_id, manage=True)
        fields = self.validated(request, partial=True)
        return self.one(organisations.update_organisation(user=user, organisation_id=organisation_id, **fields))

    def destroy(self, request: Request, organisation_id: UUID) -> Response:
        """Delete an organisation that has no projects; for admins."""
        organisations.delete_organisation(user=user_of(request), organisation_id=organisation_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(retrieve=extend_schema(summary="Get an organisation's usage"))
class UsageViewSet(ApiViewSet):
    """What an organisation uses."""

    serializer_class = UsageSerializer

    def retrieve(self, request: Request, organisation_id: UUID) -> Response:
        """Get what the organisation uses of what its plan allows."""
        found = selectors.get_organisation(user=user_of(request), organisation_id=organisation_id)
        allowance = limits.allowance_of(found)
        return self.one(
            {
                "generations": limits.generating(found.pk),
                "most_generations": allowance.generations,
                "storage": limits.stored(found.pk),
                "most_storage": allowance.storage,
            }
        )


@extend_schema_view(
    list=extend_schema(summary="List an organisation's members"),
    create=extend_schema(
        summary="Add a member to an organisation",
        request=NewOrganisationMemberSerializer,
        responses={201: OrganisationMemberSerializer},
    ),
    retrieve=extend_schema(summary="Get a member of an organisation"),
    partial_update=extend_schema(
        summary="Change the role of an organisation's member", request=OrganisationRoleSerializer
    ),
    destroy=extend_schema(summary="Remove a member from an organisation"),
)
class OrganisationMemberViewSet(ApiViewSet):
    """Who is in an organisation."""

    serializer_class = OrganisationMemberSerializer
    lookup_url_kwarg = "user_id"
    scopes: ClassVar[dict[str, Scope]] = MANAGED

    def list(self, request: Request, organisation_id: UUID) -> Response:
        """List the organisation's members by name."""
        return self.page(selectors.organisation_members(user=user_of(request), organisation_id=organisation_id))

    def create(self, request: Request, organisation_id: UUID) -> Response:
        """Add somebody as member or admin; for admins."""
        user = user_of(request)
        selectors.get_organisation(user=user, organisation_id=organisation_id, manage=True)
        wanted = self.validated(request, NewOrganisationMemberSerializer)
        member = organisations.add_organisation_member(user=user, organisation_id=organisation_id, **wanted)
        return self.created(member, location=reverse("organisation-member", args=[organisation_id, member.pk]))

    def retrieve(self, request: Request, organisation_id: UUID, user_id: UUID) -> Response:
        """Get the role of one of the members."""
        found = selectors.get_organisation(user=user_of(request), organisation_id=organisation_id)
        return self.one(selectors.member_of(found, user_id))

    def partial_update(self, request: Request, organisation_id: UUID, user_id: UUID) -> Response:
        """Give a member another role; for admins."""
        user = user_of(request)
        selectors.get_organisation(user=user, organisation_id=organisation_id, manage=True)
        role = self.validated(request, OrganisationRoleSerializer)["role"]
        changed = organisations.change_organisation_role(
            user=user, organisation_id=organisation_id, member_id=user_id, role=role
        )
        return self.one(changed)

    def destroy(self, request: Request, organisation_id: UUID, user_id: UUID) -> Response:
        """Remove a member; for admins, and for the member who leaves."""
        organisations.remove_organisation_member(
            user=user_of(request), organisation_id=organisation_id, member_id=user_id
        )
        return Response(status=status.HTTP_204_NO_CONTENT)
