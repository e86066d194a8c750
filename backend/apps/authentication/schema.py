"""Tells drf-spectacular how `TokenAuthentication` is presented: as a bearer token."""

from __future__ import annotations

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme


class TokenAuthenticationScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]  # registers itself
    """A bearer token, under the name that simplejwt's own authentication has."""

    target_class = "backend.apps.authentication.tokens.TokenAuthentication"
    name = "jwtAuth"
