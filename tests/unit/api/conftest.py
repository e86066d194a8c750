"""What the tests of the API's shared parts share."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from backend.apps.authentication.models import User


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada", password="correct horse battery")


@pytest.fixture
def client(user: User) -> APIClient:
    """A client that acts as the user."""
    client = APIClient()
    client.force_authenticate(user)
    return client
