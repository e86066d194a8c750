"""Organisations: who is in them, what their admins may do, and what their plans allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from backend.api.errors import status_of
from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Role
from backend.apps.projects import selectors
from backend.apps.projects.errors import OrganisationBusy, OrganisationFull, OrganisationInactive
from backend.apps.projects.models import Archive, GeneratedProject, Organisation, OrganisationMembership, Project
from backend.apps.projects.services import generations, organisation_limits
from backend.apps.projects.services.generation_records import fail, open_generation
from backend.apps.projects.services.organisation_limits import Allowance, require_room_to_ask
from backend.apps.workflows.decisions.retry import Again, decide_retry

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> dict[str, User]:
    names = ("admin", "member", "stranger", "root")
    return {name: User.objects.create_user(name, is_superuser=name == "root") for name in names}


@pytest.fixture
def acme(people: dict[str, User]) -> Organisation:
    acme = Organisation.objects.create(name="Acme", slug="acme")
    for name in ("admin", "member"):
        OrganisationMembership.objects.create(organisation=acme, user=people[name], role=name)
    return acme


def act(user: User, method: str, path: str, body: Any = None) -> Any:
    client = APIClient()
    client.force_authenticate(User.objects.get(pk=user.pk))
    return getattr(client, method)(f"/api/v1/{path}", body)


def project_in(organisation: Organisation | None, owner: User, *, slug: str = "") -> Project:
    slug = slug or uuid4().hex[:8]
    return Project.objects.create(name=slug, slug=slug, owner=owner, organisation=organisation)


def test_an_organisations_life(people: dict[str, User]) -> None:
    answer = act(people["member"], "post", "organisations/", {"name": "Mine", "slug": "mine"})
    assert answer.status_code == 201, answer.content
    place = answer["Location"].removeprefix("/api/v1/")
    assert (answer.json()["plan"], answer.json()["is_active"]) == ("free", True)
    (only,) = act(people["member"], "get", f"{place}members/").json()["results"]
    assert (only["username"], only["role"]) == ("member", "admin")
    assert act(people["member"], "patch", place, {"name": "Ours"}).json()["name"] == "Ours"
    assert act(people["stranger"], "post", "organisations/", {"name": "X", "slug": "mine"}).status_code == 400
    assert act(people["member"], "delete", f"{place}members/{people['member'].pk}/").status_code == 409
    assert act(people["member"], "delete", place).status_code == 204
    assert act(people["member"], "get", "organisations/").json()["count"] == 0


@pytest.mark.parametrize(("field", "value"), [("plan", "enterprise"), ("is_active", False)])
def test_what_it_may_is_an_operators_to_say(
    people: dict[str, User], acme: Organisation, field: str, value: object
) -> None:
    refused = act(people["admin"], "patch", f"organisations/{acme.pk}/", {field: value})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (403, field)
    made = act(people["admin"], "post", "organisations/", {"name": "N", "slug": "n", field: value})
    assert (made.status_code, Organisation.objects.count()) == (403, 1)
    assert act(people["root"], "patch", f"organisations/{acme.pk}/", {field: value}).json()[field] == value


def test_the_last_admin_stays(people: dict[str, User], acme: Organisation) -> None:
    admin = f"organisations/{acme.pk}/members/{people['admin'].pk}/"
    assert act(people["admin"], "patch", admin, {"role": "member"}).status_code == 409
    assert act(people["admin"], "delete", admin).status_code == 409
    other = f"organisations/{acme.pk}/members/{people['member'].pk}/"
    assert act(people["admin"], "patch", other, {"role": "admin"}).json()["role"] == "admin"
    assert act(people["admin"], "delete", admin).status_code == 204
    assert act(people["member"], "delete", other).status_code == 409


def test_a_member_may_leave(people: dict[str, User], acme: Organisation) -> None:
    place = f"organisations/{acme.pk}/members/{people['member'].pk}/"
    assert act(people["member"], "delete", place).status_code == 204
    assert act(people["member"], "get", f"organisations/{acme.pk}/").status_code == 404


def test_its_admins_do_in_its_projects_what_their_owners_may(people: dict[str, User], acme: Organisation) -> None:
    inside, outside = project_in(acme, people["member"]), project_in(None, people["member"])
    admin = people["admin"]
    assert list(selectors.visible_projects(user=admin)) == [inside]
    assert selectors.role_in(user=admin, project=inside) == Role.OWNER
    assert selectors.role_in(user=admin, project=outside) is None
    assert act(admin, "patch", f"projects/{inside.pk}/", {"name": "N"}).status_code == 200
    assert act(admin, "patch", f"projects/{outside.pk}/", {"name": "N"}).status_code == 404
    assert act(admin, "delete", f"organisations/{acme.pk}/").json()["projects"] == 1
    # Being a member of the organisation alone shows none of its projects.
    OrganisationMembership.objects.create(organisation=acme, user=people["stranger"])
    assert act(people["stranger"], "get", f"projects/{inside.pk}/").status_code == 404
    assert act(admin, "delete", f"projects/{inside.pk}/").status_code == 204


def test_a_project_is_put_into_ones_own_organisation_by_its_owner(people: dict[str, User], acme: Organisation) -> None:
    theirs = Organisation.objects.create(name="Theirs", slug="theirs")
    body = {"name": "N", "organisation": str(acme.pk)}
    made = act(people["member"], "post", "projects/", body)
    assert (made.status_code, made.json()["organisation"]) == (201, str(acme.pk))
    for foreign in (theirs.pk, uuid4()):
        refused = act(people["member"], "post", "projects/", {**body, "organisation": str(foreign)})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (404, "organisation")
    place = f"projects/{made.json()['id']}/"
    assert act(people["member"], "patch", place, {"organisation": str(theirs.pk)}).status_code == 404
    act(people["member"], "post", f"{place}members/", {"username": "stranger", "role": "author"})
    assert act(people["stranger"], "patch", place, {"name": "M", "organisation": str(acme.pk)}).status_code == 200
    assert act(people["stranger"], "patch", place, {"organisation": None}).status_code == 403
    assert act(people["member"], "patch", place, {"organisation": None}).json()["organisation"] is None


@pytest.mark.parametrize(("plan", "most"), [("free", 1), ("team", 5), ("enterprise", None)])
def test_so_many_are_generated_at_once(
    people: dict[str, User], acme: Organisation, plan: str, most: int | None
) -> None:
    Organisation.objects.update(plan=plan)
    owner = people["member"]
    opened = []
    for _ in range(most or 7):
        opened.append(open_generation(project=project_in(acme, owner), user=owner, execution_id=None))
    another = project_in(acme, owner)
    if most is None:
        assert open_generation(project=another, user=owner, execution_id=None).status == "generating"
        return
    with pytest.raises(OrganisationBusy) as busy:
        open_generation(project=another, user=owner, execution_id=None)
    # Nothing is left of one that could not begin, and one of a project elsewhere can.
    assert not GeneratedProject.objects.filter(project=another).exists()
    open_generation(project=project_in(None, owner), user=owner, execution_id=None)
    # It waits, and uses up no retry.
    decided = decide_retry(busy.value, retries=10, max_retries=10, jitter=0.0)
    assert isinstance(decided, Again)
    assert not decided.counted
    assert (status_of(busy.value), busy.value.place["maximum"]) == (429, most)
    # A repeated attempt of one that holds a place is not in its own way.
    fail(opened[0], "ended")
    assert open_generation(project=another, user=owner, execution_id=None).status == "generating"


def test_what_was_asked_for_counts_at_the_door_and_not_in_the_worker(
    people: dict[str, User], acme: Organisation
) -> None:
    owner = people["member"]
    first, second = project_in(acme, owner), project_in(acme, owner)
    require_room_to_ask(project=first)
    GeneratedProject.objects.create(project=first, created_by=owner, status="pending")
    with pytest.raises(OrganisationBusy):
        require_room_to_ask(project=second)
    open_generation(project=second, user=owner, execution_id=None)


def test_an_inactive_organisation_refuses(people: dict[str, User], acme: Organisation) -> None:
    project = project_in(acme, people["member"])
    Organisation.objects.update(is_active=False)
    for refused in (
        lambda: open_generation(project=project, user=people["member"], execution_id=None),
        lambda: require_room_to_ask(project=project),
    ):
        with pytest.raises(OrganisationInactive) as error:
            refused()
        assert (status_of(error.value), error.value.retryable, bool(error.value.hint)) == (409, False, True)
    assert act(people["member"], "get", f"projects/{project.pk}/").status_code == 200


@pytest.fixture
def folders(tmp_path: Any, settings: Any) -> None:
    settings.GENERATED_PROJECTS_DIR = tmp_path / "workspaces"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.ARCHIVES_DIR = tmp_path / "archives"


@pytest.mark.usefixtures("folders")
def test_storage_is_what_generations_and_archives_have(
    people: dict[str, User], acme: Organisation, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setitem(organisation_limits.ALLOWANCES, "free", Allowance(generations=1, storage=1000))
    owner = people["member"]
    project = project_in(acme, owner)
    generations.generate(project=project, user=owner, execution_id=None, readme="x" * 600)
    usage = act(owner, "get", f"organisations/{acme.pk}/usage/").json()
    assert usage == {"generations": 0, "most_generations": 1, "storage": 600, "most_storage": 1000}
    # It is too large for what is left: known only when it is there, and then it is not recorded.
    with pytest.raises(OrganisationFull) as full:
        generations.generate(project=project, user=owner, execution_id=None, readme="y" * 500)
    assert (full.value.place["value"], status_of(full.value), full.value.retryable) == (1100, 409, False)
    failed = GeneratedProject.objects.get(status="failed")
    assert failed.total_size == 0
    generations.generate(project=project, user=owner, execution_id=None, readme="z" * 400)
    with pytest.raises(OrganisationFull):
        open_generation(project=project, user=owner, execution_id=None)
    # Neither can it be packaged; nothing is left of the archive.
    with pytest.raises(OrganisationFull):
        generations.package(project=project, user=owner, execution_id=None, format="zip")
    assert not Archive.objects.exists()
    assert [path for path in Path(settings.ARCHIVES_DIR).rglob("*") if path.is_file()] == []
    # Making the same generation anew counts it once, and an archived one has no files any more.
    GeneratedProject.objects.filter(total_size=600).update(status="archived")
    assert organisation_limits.stored(acme.pk) == 400
    generation = GeneratedProject.objects.get(total_size=400)
    Archive.objects.create(generated_project=generation, format="zip", path="a.zip", size=70, digest="", commit="c")
    assert organisation_limits.stored(acme.pk) == 470
    assert organisation_limits.stored(acme.pk, without=generation.pk) == 70
