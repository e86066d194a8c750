"""The user everything is done for, and the tokens that programs act with in their name."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models

from backend.apps.authentication.roles import Grant


class User(AbstractUser):
    """A person or a program with an account."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)

    grant: Grant | None = None
    """What the service token that this request came with is good for; None where the user acts themselves. No field."""


class ServiceToken(models.Model):
    """A token that a program acts with in its user's name. The token itself is shown once and not kept."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="service_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    """SHA-256 of the token: 256 random bits need no slower hash."""
    ending = models.CharField(max_length=8)
    """The token's last characters, by which a person tells it from others."""
    scopes = models.JSONField(default=list)
    # No foreign key: this app lies below the projects app.
    project_id = models.UUIDField(null=True, blank=True, db_index=True)
    """The only project that it is good for, or none for all."""
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    """When it was last used, to the minute."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="one_token_per_name")]

    def __str__(self) -> str:
        return self.name


class OutsideIdentity(models.Model):
    """Who a user is at an OpenID Connect provider: the only thing that they are known by there."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="outside_identities")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "outside identities"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="one_user_per_identity")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class EndedRefreshToken(models.Model):
    """A refresh token that was given back before it expired, by its id alone."""

    jti = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)
