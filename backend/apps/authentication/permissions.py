"""Lets a request through only where the service token that it came with, if any, is good for it.

Whether its user may do it is asked later, by the selectors, of the role in the project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Scope
from backend.errors import PermissionRefused

if TYPE_CHECKING:
    # REST framework imports its permissions before its views.
    from rest_framework.views import APIView

NOBODYS_TOKEN = ""
"""As a view's scope: no service token will do, only who has given their password."""
HINT = "Make a token that has it; a token's scopes never change."


class TokenScope(BasePermission):
    """The token has the scope that the view's action takes: see `ApiViewSet.scopes`."""

    by_method: ClassVar[dict[bool, Scope]] = {True: Scope.READ, False: Scope.WRITE}

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True. Raises PermissionRefused with what is missing."""
        grant = request.user.grant if isinstance(request.user, User) else None
        if grant is None:
            return True
        action = getattr(view, "action", None) or str(request.method).lower()
        needed = getattr(view, "scopes", {}).get(action, self.by_method[request.method in SAFE_METHODS])
        if needed == NOBODYS_TOKEN:
            raise PermissionRefused("A service token cannot do this.", hint="Log in with the user's password.")
        if not grant.allows(needed):
            raise PermissionRefused(f"The token does not have the scope '{needed}'.", hint=HINT)
        return True
