"""Finds the user whom an OpenID Connect provider vouches for. Only used where one is set up.

mozilla-django-oidc does the flow; here its gaps are closed: a token must be from this issuer, for this client, and
about the same person as what the provider tells of them. A person is known by issuer and subject alone, never by an
e-mail address or a name: whoever can choose their name at the provider must not become somebody else here.
"""

from __future__ import annotations

import re
from typing import Any

import jwt
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import SuspiciousOperation
from django.db import IntegrityError, transaction
from django.http import HttpResponseRedirect
from django.shortcuts import resolve_url
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView

from backend.apps.authentication.models import OutsideIdentity, User

LONGEST_NAME = 100
TRIES = 50


class SingleSignOn(OIDCAuthenticationBackend):  # type: ignore[misc]  # the package has no types
    """An authentication backend of Django's."""

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401  (the package's signature)
        """Return the token's claims. Raises SuspiciousOperation where it is not for us."""
        try:
            claims: dict[str, Any] = super().verify_token(token, **kwargs)
        except jwt.PyJWTError as error:
            raise SuspiciousOperation("The token is not valid, or not any more.") from error
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if claims.get("iss") != _setting("OIDC_ISSUER") or _setting("OIDC_RP_CLIENT_ID") not in audiences:
            raise SuspiciousOperation("The token is from another issuer, or for another client.")
        if "exp" not in claims or not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise SuspiciousOperation("The token has no end, or names nobody.")
        return claims

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User | None:
        """Return the person's user, who is made where they come for the first time; None for an inactive one."""
        told = self.get_userinfo(access_token, id_token, payload)
        if not isinstance(told, dict) or told.get("sub") != payload["sub"]:
            raise SuspiciousOperation("The provider tells of somebody else than the token.")
        known = OutsideIdentity.objects.filter(issuer=_setting("OIDC_ISSUER"), subject=payload["sub"])
        found = known.select_related("user").first()
        user = found.user if found else _new_user(payload["sub"], told)
        return user if user.is_active else None


class Callback(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Where the provider sends people back to."""

    def login_failure(self) -> HttpResponseRedirect:
        """Say that it did not work, on the page where one logs in."""
        messages.error(self.request, f"{settings.SINGLE_SIGN_ON} did not let you in. Try again, or ask an operator.")
        return HttpResponseRedirect(resolve_url("console:login"))


def _new_user(subject: str, told: dict[str, Any]) -> User:
    """Make a user without a password. A name that is taken gets a number."""
    wanted = str(told.get("preferred_username") or told.get("email") or told.get("name") or "user").partition("@")[0]
    name = re.sub(r"[^\w.+-]", "-", wanted)[:LONGEST_NAME] or "user"
    for number in range(1, TRIES):
        try:
            with transaction.atomic():
                user = User.objects.create_user(
                    name if number == 1 else f"{name}-{number}",
                    email=str(told.get("email") or "")[:254],
                    first_name=str(told.get("given_name") or "")[:150],
                    last_name=str(told.get("family_name") or "")[:150],
                )
                OutsideIdentity.objects.create(user=user, issuer=_setting("OIDC_ISSUER"), subject=subject)
        except IntegrityError:
            # The name is taken, or the person came twice at once.
            found = OutsideIdentity.objects.filter(issuer=_setting("OIDC_ISSUER"), subject=subject).first()
            if found is not None:
                return found.user
        else:
            return user
    raise SuspiciousOperation("There is no name left for this person.")


def _setting(name: str) -> str:
    # Set only where somebody set it up.
    return str(getattr(settings, name))
