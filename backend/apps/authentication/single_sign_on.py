"""Finds the user whom an OpenID Connect provider vouches for. Only used where one is set up.

mozilla-django-oidc does the flow; here its gaps are closed: a token must be from this issuer, for this client, and
about the same person as what the provider tells of them. A person is known by issuer and subject alone, never by an
e-mail address or a name: whoever can choose their name at the provider must not become somebody else here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import requests
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import SuspiciousOperation
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import resolve_url
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView

from backend.apps.authentication.models import OutsideIdentity, User
from backend.errors import RemoteRefused, RemoteUnreachable

logger = logging.getLogger(__name__)

LONGEST_NAME = 100
LONGEST_SUBJECT = 255
TOO_MANY_REQUESTS = 429
TRIES = 50


class SingleSignOn(OIDCAuthenticationBackend):  # type: ignore[misc]  # the package has no types
    """An authentication backend of Django's."""

    def authenticate(self, request: HttpRequest | None, *, nonce: str, code_verifier: str | None) -> User | None:
        """Return the person whom the provider has sent back; None for nobody.

        That is all that it takes: Django passes over a backend whose arguments others do not give, so that a login with
        a password never asks the provider. Raises RemoteRefused, RemoteUnreachable, SuspiciousOperation.
        """
        user: User | None = super().authenticate(request, nonce=nonce, code_verifier=code_verifier)
        return user

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return what the provider gives for the code. Raises RemoteRefused, RemoteUnreachable."""
        with _asking("for a token"):
            given = super().get_token(payload)
            if not isinstance(given, dict) or not all(isinstance(given.get(n), str) for n in _TOKENS):
                raise ValueError
        return given

    def retrieve_matching_jwk(self, token: str) -> Any:  # noqa: ANN401  (the package's)
        """Return the key that a token is signed with. Raises RemoteRefused, RemoteUnreachable, SuspiciousOperation."""
        with _asking("for its keys"):
            return super().retrieve_matching_jwk(token)

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> Any:  # noqa: ANN401
        """Return what the provider tells of a person. Raises RemoteRefused, RemoteUnreachable."""
        with _asking("about a person"):
            return super().get_userinfo(access_token, id_token, payload)

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
        subject = claims.get("sub")
        if "exp" not in claims or not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise SuspiciousOperation("The token has no end, or names nobody.")
        if "\0" in subject:
            raise SuspiciousOperation("The token names somebody in a way that cannot be stored.")
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

    def get(self, request: HttpRequest) -> HttpResponseRedirect:
        """Log in who came back; or say on the page where one logs in what went wrong."""
        try:
            answer: HttpResponseRedirect = super().get(request)
        except RemoteRefused:
            return self.login_failure()
        except RemoteUnreachable as error:
            messages.error(request, f"{error.message} {error.hint}")
            return HttpResponseRedirect(resolve_url("console:login"))
        return answer

    def login_failure(self) -> HttpResponseRedirect:
        """Say that it did not work, on the page where one logs in."""
        messages.error(self.request, f"{settings.SINGLE_SIGN_ON} did not let you in. Try again, or ask an operator.")
        return HttpResponseRedirect(resolve_url("console:login"))


_TOKENS = ("id_token", "access_token")


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Raise an error of ours where the provider does not answer, refuses, or answers what makes no sense.

    The package repeats the provider's answer in its own errors; here none of it is told or written down.
    """
    try:
        yield
    except requests.HTTPError as error:
        status = 500 if error.response is None else error.response.status_code
        logger.warning("The provider of single sign-on was asked %s, and answered with status %d", what, status)
        if status < 500 and status != TOO_MANY_REQUESTS:
            raise RemoteRefused(f"{settings.SINGLE_SIGN_ON} did not accept the login.") from None
        raise _trouble() from None
    except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("The provider of single sign-on was asked %s: %s", what, type(error).__name__)
        raise _trouble() from None


def _trouble() -> RemoteUnreachable:
    name = settings.SINGLE_SIGN_ON
    return RemoteUnreachable(f"{name} does not answer as it should just now.", hint="Try again in a few minutes.")


def _new_user(subject: str, told: dict[str, Any]) -> User:
    """Make a user without a password. A name that is taken gets a number."""
    wanted = str(told.get("preferred_username") or told.get("email") or told.get("name") or "user").partition("@")[0]
    name = re.sub(r"[^\w.+-]", "-", wanted)[:LONGEST_NAME] or "user"
    for number in range(1, TRIES):
        try:
            with transaction.atomic():
                user = User.objects.create_user(
                    name if number == 1 else f"{name}-{number}",
                    email=_storable(told.get("email"), 254),
                    first_name=_storable(told.get("given_name"), 150),
                    last_name=_storable(told.get("family_name"), 150),
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


def _storable(told: Any, longest: int) -> str:  # noqa: ANN401  (the provider's words)
    return str(told or "").replace("\0", "")[:longest]


def _setting(name: str) -> str:
    # Set only where somebody set it up.
    return str(getattr(settings, name))
