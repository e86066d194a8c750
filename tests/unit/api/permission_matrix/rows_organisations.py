"""Rows of organisations. The world's owner is the admin of one, its author a member, and everybody else a stranger."""

from __future__ import annotations

from backend.apps.projects.models import Organisation, OrganisationMembership
from tests.unit.api.permission_matrix.table import Answers, Row, own
from tests.unit.api.permission_matrix.world import World


def _organisation(world: World) -> object:
    made, new = Organisation.objects.get_or_create(slug="acme", defaults={"name": "Acme"})
    if new:
        for name, role in (("owner", "admin"), ("author", "member"), ("guest", "member")):
            OrganisationMembership.objects.create(organisation=made, user=world.people[name], role=role)
    return made.pk


def _managing(ok: int) -> Answers:
    return Answers(401, 404, 404, 403, 404, ok, ok, 403, 403, 403, ok)


READING = Answers(401, 404, 404, 200, 404, 200, 200, 200, 200, 200, 200)
CREATING = Answers(401, 201, 201, 201, 201, 201, 201, 403, 403, 403, 201)
OPERATING = Answers(401, 404, 404, 403, 404, 403, 200, 403, 403, 403, 403)

OBJECTS = {"organisation_id": _organisation}
GUEST = {"user_id": lambda world: world.people["guest"].pk}
ONE = "organisations/<uuid:organisation_id>/"
ROWS = [
    Row("GET", "organisations/", own()),
    Row("POST", "organisations/", CREATING, body={"name": "New", "slug": "new"}),
    Row("GET", ONE, READING),
    Row("PATCH", ONE, _managing(200), body={"name": "New"}),
    Row("DELETE", ONE, _managing(204)),
    Row("GET", f"{ONE}usage/", READING),
    Row("GET", f"{ONE}members/", READING),
    Row("POST", f"{ONE}members/", _managing(201), body={"username": "viewer"}),
    Row("GET", f"{ONE}members/<uuid:user_id>/", READING, ids=GUEST),
    Row("PATCH", f"{ONE}members/<uuid:user_id>/", _managing(200), ids=GUEST, body={"role": "admin"}),
    Row("DELETE", f"{ONE}members/<uuid:user_id>/", _managing(204), ids=GUEST),
]
