"""Reads service tokens: in whose name a program's request is, and what its token is good for."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from backend.apps.authentication.grants import grant_of
from backend.apps.authentication.models import ServiceToken, User
from backend.apps.authentication.services.service_tokens import PREFIX, digest_of

USED_AGAIN = timedelta(minutes=1)
"""How often the last use is written down: not with every request."""


class ServiceTokenAuthentication(BaseAuthentication):
    """Finds the user of `Authorization: Bearer rmt_...`; other tokens are left to others."""

    def authenticate(self, request: Request) -> tuple[User, ServiceToken] | None:
        """Return the user, whose `grant` says what the token is good for, and the token. Raises AuthenticationFailed.

        Unknown, expired, revoked and deactivated look alike.
        """
        scheme, _, value = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not value.strip().startswith(PREFIX):
            return None
        now = timezone.now()
        token = (
            ServiceToken.objects.select_related("user")
            .filter(digest=digest_of(value.strip()), expires_at__gt=now, user__is_active=True)
            .first()
        )
        if token is None:
            raise AuthenticationFailed("The token is not valid, or not any more.", "token_not_valid")
        # Only where it is due, so that the requests of one moment write it once.
        due = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_AGAIN)
        if token.last_used_at is None or token.last_used_at < now - USED_AGAIN:
            ServiceToken.objects.filter(due, pk=token.pk).update(last_used_at=now)
        token.user.grant = grant_of(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  (REST framework's signature)
        """Return the challenge of a 401."""
        return 'Bearer realm="api"'
