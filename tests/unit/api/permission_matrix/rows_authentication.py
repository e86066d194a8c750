"""Rows of accounts and service tokens: everybody's own."""

from __future__ import annotations

from backend.apps.authentication.models import ServiceToken
from backend.apps.authentication.services.service_tokens import add_token
from tests.unit.api.permission_matrix.table import Answers, Row, own, password_only
from tests.unit.api.permission_matrix.world import PASSWORD, World

# Somebody's token is missing to everybody else, to the operator too.
OWNERS = Answers(401, 404, 404, 404, 404, 200, 404, 403, 403, 403, 403)
REVOKED = OWNERS._replace(owner=204)


def _token(world: World) -> object:
    found = ServiceToken.objects.filter(user=world.owner, name="mine").first()
    return (found or add_token(user=world.owner, name="mine", scopes=()).row).pk


OBJECTS = {"token_id": _token}
ROWS = [
    Row("GET", "auth/me/", own()),
    Row("PATCH", "auth/me/", password_only(200), body={"first_name": "A"}),
    Row(
        "POST",
        "auth/me/password/",
        password_only(204),
        body={"old_password": PASSWORD, "new_password": "another horse battery"},
    ),
    Row("GET", "auth/tokens/", password_only(200)),
    Row("POST", "auth/tokens/", password_only(201), body={"name": "new", "scopes": ["run"]}),
    Row("GET", "auth/tokens/<uuid:token_id>/", OWNERS),
    Row("DELETE", "auth/tokens/<uuid:token_id>/", REVOKED),
]
