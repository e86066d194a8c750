"""The user everything is done for."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.db import models

from backend.apps.authentication.roles import Grant


class User(AbstractUser):
    """A person or a program with an account."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)

    grant: Grant | None = None
    """What the service token that this request came with is good for; None where the user acts themselves. No field."""
