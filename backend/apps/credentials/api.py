"""Credentials over REST: kept, listed, checked, rotated, shared and removed. A secret is never an answer."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet
from backend.apps.authentication.project_access import project_access
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Right
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.selectors import find_credential, namable_credentials
from backend.apps.credentials.serializers import (
    CredentialSerializer,
    FindingSerializer,
    NewCredentialSerializer,
    SecretSerializer,
    SharingSerializer,
)
from backend.apps.credentials.services.adding import add_checked, rotate_checked
from backend.apps.credentials.services.check import check_credential, concerns
from backend.apps.credentials.services.keeping import remove_credential
from backend.apps.credentials.services.sharing import share_credential


@extend_schema_view(
    list=extend_schema(summary="List the credentials that you can name"),
    retrieve=extend_schema(summary="Get a credential"),
    destroy=extend_schema(summary="Remove a credential"),
)
class CredentialViewSet(ApiViewSet):
    """Encrypted secrets for hosts, which workflows and exports name. Their values are never shown."""

    queryset = Credential.objects.none()
    serializer_class = CredentialSerializer
    scopes: ClassVar[dict[str, str]] = dict.fromkeys(("create", "rotate", "partial_update", "destroy"), "manage")

    def list(self, request: Request) -> Response:
        """List the user's own credentials, and those shared with the user's projects, by name."""
        return self.page(namable_credentials(user=user_of(request)))

    def retrieve(self, request: Request, credential_id: UUID) -> Response:
        """Get one credential, without its value."""
        return self.one(self._get(request, credential_id))

    @extend_schema(summary="Add a credential", request=NewCredentialSerializer, responses={201: CredentialSerializer})
    def create(self, request: Request) -> Response:
        """Keep a secret, encrypted, under a name. It is never given out again."""
        said = self.validated(request, NewCredentialSerializer)
        row = add_checked(
            user=user_of(request),
            name=said["name"],
            host=said["host"],
            secret=Secret(said["value"]),
            base_url=said.get("base_url"),
            username=said.get("username"),
            project_id=said.get("project"),
            check_with_host=said["check_with_host"],
        )
        return self.created(row, location=reverse("credential", args=[row.pk]))

    @extend_schema(summary="Share a credential", request=SharingSerializer, responses=CredentialSerializer)
    def partial_update(self, request: Request, credential_id: UUID) -> Response:
        """Share a credential of one's own with the members of a project, or take it back."""
        row = self._get(request, credential_id, own=True)
        project: UUID | None = self.validated(request, SharingSerializer)["project"]
        if project is not None:
            project_access().find(user_of(request), str(project), Right.WRITE)
        return self.one(share_credential(credential=row, project_id=project))

    @extend_schema(summary="Give a credential another value", request=SecretSerializer, responses=CredentialSerializer)
    def rotate(self, request: Request, credential_id: UUID) -> Response:
        """Give a credential of one's own another value. Its name stays, and with it whatever names it."""
        row = self._get(request, credential_id, own=True)
        said = self.validated(request, SecretSerializer)
        rotate_checked(credential=row, secret=Secret(said["value"]), check_with_host=said["check_with_host"])
        return self.one(row)

    @extend_schema(summary="Check a credential with its host", request=None, responses=FindingSerializer)
    def check(self, request: Request, credential_id: UUID) -> Response:
        """Ask the host whose a credential is, what it may do and until when."""
        row = self._get(request, credential_id)
        finding = check_credential(row)
        found: dict[str, Any] = {
            "asked": finding.asked,
            "account": finding.account,
            "scopes": finding.scopes,
            "expires_at": finding.expires_at,
            "concerns": concerns(finding, host=row.host, now=timezone.now()),
        }
        return Response(FindingSerializer(found).data)

    def destroy(self, request: Request, credential_id: UUID) -> Response:
        """Remove a credential of one's own. At its host it stays valid until it is revoked there."""
        remove_credential(credential=self._get(request, credential_id, own=True))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _get(self, request: Request, credential_id: UUID, *, own: bool = False) -> Credential:
        return find_credential(user=user_of(request), credential_id=credential_id, own=own)
