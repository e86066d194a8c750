"""Who a request is from."""

from __future__ import annotations

from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from backend.apps.authentication.models import User


def user_of(request: Request) -> User:
    """Return the user that a request was authenticated as. Raises NotAuthenticated when it was not."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user
