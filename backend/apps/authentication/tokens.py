"""Reads tokens: who a request is from, what it may do at most, and what a refresh token is still good for.

simplejwt does the cryptography; here its gaps are closed. A token with claims of the wrong type is refused and is no
crash, and a refresh token dies with the password or the account that it was made for, and when it is given back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.utils.crypto import constant_time_compare
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.serializers import TokenRefreshSerializer
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken, Token
from rest_framework_simplejwt.utils import get_md5_hash_password

from backend.apps.authentication.grants import CLAIM, from_json, require_live
from backend.apps.authentication.models import EndedRefreshToken, User
from backend.apps.authentication.roles import Grant
from backend.errors import PermissionRefused

# What simplejwt and PyJWT raise for claims that are signed but make no sense.
NONSENSE = (TypeError, ValueError, OverflowError, OSError)


class TokenAuthentication(JWTAuthentication):
    """Finds the user of a bearer token."""

    def get_validated_token(self, raw_token: bytes) -> Token:
        """Return the token when it is ours, an access token, and not expired. Raises InvalidToken otherwise."""
        try:
            return super().get_validated_token(raw_token)
        except NONSENSE as error:
            raise InvalidToken() from error

    def get_user(self, validated_token: Token) -> Any:  # noqa: ANN401  (simplejwt's own type fits no function)
        """Return the token's user when the account is active and its password unchanged since.

        Where the token was minted for work that a service token started, the user has that one's grant, while it is
        good.
        """
        user_id(validated_token)
        user: Any = super().get_user(validated_token)
        if CLAIM in validated_token:
            user.grant = _grant(validated_token[CLAIM])
        return user


class RefreshSerializer(TokenRefreshSerializer):
    """Gives a fresh access token for a refresh token, while the account is active and its password unchanged."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        """Return the access token. Raises AuthenticationFailed or InvalidToken."""
        try:
            refresh = RefreshToken(attrs["refresh"])
        except NONSENSE as error:
            raise InvalidToken() from error
        if EndedRefreshToken.objects.filter(pk=str(refresh.get("jti"))).exists():
            raise AuthenticationFailed("The token was given back.", "token_not_valid")
        user = User.objects.filter(pk=user_id(refresh), is_active=True).first()
        claimed = str(refresh.get(api_settings.REVOKE_TOKEN_CLAIM, ""))
        if user is None or not constant_time_compare(claimed, get_md5_hash_password(user.password)):
            raise AuthenticationFailed("The token was revoked.", "token_not_valid")
        return {"access": str(refresh.access_token)}


def end_refresh_token(value: str) -> None:
    """Make a refresh token good for nothing. Raises InvalidToken for what is none, or has expired."""
    try:
        refresh = RefreshToken(value)  # type: ignore[arg-type]  # its annotation forgets the text that it decodes
        ends = datetime.fromtimestamp(refresh["exp"], tz=UTC)
    except TokenError as error:
        raise InvalidToken(str(error)) from error
    except NONSENSE as error:
        raise InvalidToken() from error
    EndedRefreshToken.objects.get_or_create(jti=str(refresh["jti"])[:64], defaults={"expires_at": ends})


def _grant(claimed: Any) -> Grant:  # noqa: ANN401  (a claim)
    try:
        grant = from_json(claimed)
        require_live(grant)
    except (ValueError, PermissionRefused) as error:
        raise InvalidToken(str(error)) from error
    if grant is None:
        raise InvalidToken("The token's grant is none.")
    return grant


def user_id(token: Token) -> UUID:
    """Return the id that a token names. Raises InvalidToken when it names none."""
    try:
        return UUID(token.get(api_settings.USER_ID_CLAIM))
    except (AttributeError, *NONSENSE) as error:
        raise InvalidToken("The token names no user.") from error
