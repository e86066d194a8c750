"""Users in Django's admin."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from backend.apps.authentication.models import OutsideIdentity, User

admin.site.register(User, UserAdmin)


@admin.register(OutsideIdentity)
class OutsideIdentityAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who is who at the provider: an operator gives an account that there is already to somebody here."""

    list_display = ("user", "issuer", "subject", "created_at")
    search_fields = ("=subject", "user__username")
    autocomplete_fields = ("user",)
