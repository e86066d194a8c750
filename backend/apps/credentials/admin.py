"""Credentials in Django's admin: they can be looked at and removed. Their values can be neither seen nor set here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from backend.apps.credentials.models import Credential


@admin.register(Credential)
class CredentialAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Credentials, without what is encrypted."""

    list_display = ("name", "owner", "host", "account", "expires_at", "last_used_at")
    list_filter = ("host",)
    search_fields = ("name", "owner__username", "account")
    fields = (
        *("name", "owner", "project_id", "host", "base_url", "username", "account", "scopes", "expires_at", "key_id"),
        *("last_checked_at", "last_used_at", "created_at", "updated_at"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  (Django's signature)
        """Nobody adds one by hand: a form would hold the value."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401, ARG002
        """Nobody changes one by hand: what is shown here is bound to the ciphertext."""
        return False
