"""Rows of what asks for no token: the schema and its pages, health, and the first step of getting a token."""

from __future__ import annotations

from rest_framework_simplejwt.tokens import RefreshToken

from tests.unit.api.permission_matrix.table import Row, open_to_all
from tests.unit.api.permission_matrix.world import PASSWORD, World


def _refresh(world: World) -> dict[str, str]:
    return {"refresh": str(RefreshToken.for_user(world.owner))}


ROWS = [
    Row("GET", "/", open_to_all(302)),
    Row("GET", "/api/schema/", open_to_all()),
    Row("GET", "/api/docs/", open_to_all()),
    Row("GET", "/api/redoc/", open_to_all()),
    Row("GET", "/healthz", open_to_all()),
    Row("GET", "/readyz", open_to_all()),
    # It leads to a page of the console, which asks who it is.
    Row("GET", "/tasks/<uuid:task_id>/", open_to_all(302)),
    # For Prometheus alone, which has a token of its own.
    Row("GET", "/metrics", open_to_all(401)),
    Row("POST", "auth/token/", open_to_all(), body={"username": "owner", "password": PASSWORD}),
    Row("POST", "auth/token/refresh/", open_to_all(), body=_refresh),
    Row("POST", "auth/token/revoke/", open_to_all(204), body=_refresh),
]
