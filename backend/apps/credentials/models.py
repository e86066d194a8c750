"""Credentials, and the secrets of single executions. The tables hold ciphertext; nothing here can open it."""

from __future__ import annotations

import json
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q


class EncryptedRow(models.Model):
    """A row with a secret that opens only there."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    ciphertext = models.BinaryField()
    key_id = models.CharField(max_length=16, db_index=True)
    """The key it is encrypted with."""

    class Meta:
        abstract = True

    def bound_to(self) -> bytes:
        """Return what the ciphertext is bound to: the same bytes as when it was encrypted, or it does not open."""
        raise NotImplementedError


class Credential(EncryptedRow):
    """An encrypted secret for a host: named, owned by a user, and perhaps shared with a project's members.

    Its id, host, base_url, owner and project are bound to the ciphertext (`bound_to`): a change of one of them without
    the services leaves a credential that does not open.
    """

    class Host(models.TextChoices):
        """What kind of host it is for."""

        GITHUB = "github", "GitHub"
        GITLAB = "gitlab", "GitLab"
        GIT = "git", "git"

    name = models.CharField(max_length=63)
    """A word in lower case, see `backend.apps.credentials.words`; unique for its owner, and in its project."""
    host = models.CharField(max_length=10, choices=Host.choices)
    base_url = models.CharField(max_length=1000)
    """The host's web address: an origin, and a path where it is installed below one. The secret goes nowhere else."""
    username = models.CharField(max_length=100)
    """What goes with the secret in git over https."""
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="credentials")
    # No foreign key: the projects app lies above.
    project_id = models.UUIDField(null=True, blank=True, db_index=True)
    """The project whose members may use it too."""
    account = models.CharField(max_length=100, blank=True)
    """Whose token it is, as the host said at the last check."""
    scopes = models.JSONField(null=True, blank=True)
    """A list of what it may do, as the host said; None where the host does not say."""
    expires_at = models.DateTimeField(null=True, blank=True)
    last_checked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    """To the minute."""
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_credential_per_name"),
            models.UniqueConstraint(
                fields=["project_id", "name"],
                condition=Q(project_id__isnull=False),
                name="one_shared_credential_per_name",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def bound_to(self) -> bytes:
        """Return what the ciphertext is bound to: which row it is, who may use it, and where it may be sent."""
        project = None if self.project_id is None else str(self.project_id)
        parts = ["credential", str(self.pk), self.host, self.base_url, str(self.owner_id), project]
        return json.dumps(parts).encode()


class SealedSecret(EncryptedRow):
    """A secret that was given with one execution, and is of use to that one alone."""

    # No foreign key: the workflows app lies above.
    execution_id = models.UUIDField(db_index=True)
    """The WorkflowExecution, or the TaskExecution of a task on its own."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return f"secret:{self.pk}"

    def bound_to(self) -> bytes:
        """Return what the ciphertext is bound to: which row it is, and of which execution."""
        return json.dumps(["sealed", str(self.pk), str(self.execution_id)]).encode()
