"""The paths of credentials, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from backend.apps.credentials.api import CredentialViewSet

urlpatterns = [
    path("credentials/", CredentialViewSet.as_view({"get": "list", "post": "create"}), name="credentials"),
    path(
        "credentials/<uuid:credential_id>/",
        CredentialViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="credential",
    ),
    path(
        "credentials/<uuid:credential_id>/rotate/",
        CredentialViewSet.as_view({"post": "rotate"}),
        name="credential-rotate",
    ),
    path(
        "credentials/<uuid:credential_id>/check/",
        CredentialViewSet.as_view({"post": "check"}),
        name="credential-check",
    ),
]
