"""Tells drf-spectacular how tokens are presented: as bearer tokens."""

from __future__ import annotations

from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension


class TokenAuthenticationScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]  # registers itself
    """A bearer token, under the name that simplejwt's own authentication has."""

    target_class = "backend.apps.authentication.tokens.TokenAuthentication"
    name = "jwtAuth"


class ServiceTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    """A bearer token of a program."""

    target_class = "backend.apps.authentication.service_token_authentication.ServiceTokenAuthentication"
    name = "serviceToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, Any]:  # noqa: ARG002  (drf-spectacular's)
        """Return the scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "rmt_..."}
