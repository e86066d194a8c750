"""Mints the tokens that Repomill acts with in a user's name. `backend.apps.authentication.tokens` reads them."""

from __future__ import annotations

from datetime import timedelta

from backend.apps.authentication.grants import CLAIM, as_json, require_live
from backend.apps.authentication.models import User
from backend.errors import PermissionRefused


class JWTService:
    """Mints short-lived access tokens. A token is never stored: whoever needs one later asks again."""

    @property
    def lifetime(self) -> timedelta:
        """How long a token is good for from the moment it is minted."""
        # Here and not above, as below: it brings the REST framework, which workers of other kinds never need.
        from rest_framework_simplejwt.settings import api_settings

        lifetime: timedelta = api_settings.ACCESS_TOKEN_LIFETIME
        return lifetime

    def generate_token(self, user: User) -> str:
        """Return a fresh access token for the user as the database knows them now.

        The row is read anew, because a run can outlive a deactivation or a change of password. A user who acts with a
        grant gets a token that is good for no more than it.
        Raises PermissionRefused when the user is gone or inactive, or the grant's service token is.
        """
        current = User.objects.filter(pk=user.pk, is_active=True).first()
        if current is None:
            raise PermissionRefused(
                "The user's account is not active, so nothing can be done in their name.",
                hint="Ask an administrator to activate the account, or run this as another user.",
                field="user",
            )
        require_live(user.grant)
        from rest_framework_simplejwt.tokens import AccessToken

        token = AccessToken.for_user(current)
        if user.grant is not None:
            token[CLAIM] = as_json(user.grant)
        return str(token)


jwt_service = JWTService()
