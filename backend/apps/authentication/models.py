"""The user everything is done for."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person or a program with an account."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
