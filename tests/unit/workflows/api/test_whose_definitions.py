"""Whose a definition is: a project's, a user's, or the installation's, and what a stranger finds of it."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.authentication.services.service_tokens import add_token
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.workflows.definition_selectors import get_version
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import Workflow, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import save_definition
from backend.errors import NotFound

pytestmark = pytest.mark.django_db
V1 = "/api/v1/workflows/"


def wording(readme: str = "# Hi") -> dict[str, Any]:
    return {"name": "deploy", "steps": [{"id": "a", "type": "file_generation", "config": {"readme": readme}}]}


def client_of(name: str, **fields: Any) -> tuple[APIClient, User]:
    user = User.objects.create_user(name, **fields)
    client = APIClient()
    client.force_authenticate(user)
    return client, user


def save(client: APIClient, readme: str = "# Hi", query: str = "") -> dict[str, Any]:
    answer = client.post(f"{V1}{query}", wording(readme))
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def names(client: APIClient) -> list[tuple[str, bool, bool]]:
    rows = client.get(V1).json()["results"]
    return [(row["name"], row["owner"] is not None, row["project"] is not None) for row in rows]


def missing(client: APIClient, identifier: str) -> None:
    for answer in (
        client.get(f"{V1}{identifier}/"),
        client.get(f"{V1}{identifier}/versions/"),
        client.get(f"{V1}{identifier}/versions/1/"),
        client.post(f"{V1}{identifier}/execute/", {}),
        client.post(f"{V1}executions/", {"workflow": identifier}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_wrong_input_and_a_wrong_choice_are_named_as_they_were_sent() -> None:
    ada, _ = client_of("ada")
    inputs = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    saved = ada.post(V1, {**wording(), "inputs": inputs}).json()["workflow"]
    run = ada.post(f"{V1}executions/", {"workflow": saved, "input_data": {"name": "x"}}).json()["id"]
    for path, body in (
        ("executions/", {"workflow": saved, "input_data": {"name": 3}}),
        (f"{saved}/execute/", {"input_data": {"name": 3}}),
        (f"executions/{run}/rerun/", {"input_data": {"name": 3}}),
    ):
        answer = ada.post(f"{V1}{path}", body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "input_data.name"), path
    (fault,) = ada.get(f"{V1}executions/?status=nonsense").json()["errors"]
    assert "Choose one of: pending, running, completed, failed, cancelled, paused, cancelling." in fault["message"]


def test_what_a_user_saves_is_theirs_alone() -> None:
    (ada, _), (bob, _) = client_of("ada"), client_of("bob")
    mine = save(ada)["workflow"]
    assert names(ada) == [("deploy", True, False)]
    assert names(bob) == []
    missing(bob, mine)
    assert bob.post(f"{V1}executions/", {"workflow": "deploy"}).status_code == 404
    assert not WorkflowExecution.objects.exists()
    assert ada.post(f"{V1}executions/", {"workflow": "deploy"}).status_code == 202


def test_nobody_changes_what_another_one_runs_by_its_name() -> None:
    (ada, _), (bob, _) = client_of("ada"), client_of("bob")
    operator, _ = client_of("root", is_superuser=True)
    shared = save(operator, "# The installation's")["workflow"]
    theirs = save(bob, "# Bob's")["workflow"]
    assert theirs != shared
    started = ada.post(f"{V1}executions/", {"workflow": "deploy"}).json()
    assert (started["workflow"], started["version"]) == (shared, 1)
    # Of two that one sees, one's own is nearer than the installation's.
    assert bob.post(f"{V1}executions/", {"workflow": "deploy"}).json()["workflow"] == theirs
    assert WorkflowVersion.objects.filter(workflow_id=shared).count() == 1


def test_a_projects_is_seen_by_its_members_and_saved_by_its_authors() -> None:
    (ada, owner), (bob, member), (eve, _) = client_of("ada"), client_of("bob"), client_of("eve")
    project = Project.objects.create(name="Mill", slug="mill", owner=owner)
    seat = ProjectMembership.objects.create(project=project, user=member, role="viewer")
    theirs = save(ada, query="?project=mill")["workflow"]
    assert names(bob) == [("deploy", False, True)]
    assert names(eve) == []
    missing(eve, theirs)
    for client, status in ((bob, 403), (eve, 404)):
        assert client.post(f"{V1}?project=mill", wording("# Other")).status_code == status
    assert WorkflowVersion.objects.count() == 1
    seat.role = "author"
    seat.save()
    assert bob.post(f"{V1}?project=mill", wording("# Other")).json()["version"] == 2
    again = bob.post(f"{V1}?project={project.pk}", wording("# Other"))
    assert (again.status_code, again.json()["version"]) == (200, 2)


def test_a_name_means_the_projects_that_is_worked_on_before_all_others() -> None:
    ada, owner = client_of("ada")
    homes: list[dict[str, Any]] = [{}, {"owner": owner}]
    for slug in ("mill", "barn"):
        homes.append({"project_id": Project.objects.create(name=slug, slug=slug, owner=owner).pk})
    shared, own, mill, barn = (
        save_definition(check_definition(wording(f"# {number}")), **home) for number, home in enumerate(homes)
    )

    def meant(**more: Any) -> str:
        return str(ada.post(f"{V1}executions/", {"workflow": "deploy", **more}).json()["workflow"])

    assert meant(project="mill") == str(mill.workflow_id)
    assert meant(project="barn") == str(barn.workflow_id)
    assert meant() == str(own.workflow_id)
    Workflow.objects.filter(pk=own.workflow_id).update(name="other")
    assert meant() == str(shared.workflow_id)
    Workflow.objects.filter(pk=shared.workflow_id).update(name="another")
    answer = ada.post(f"{V1}executions/", {"workflow": "deploy"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "workflow")


def test_a_token_for_one_project_sees_and_saves_that_ones() -> None:
    ada, owner = client_of("ada")
    project = Project.objects.create(name="Mill", slug="mill", owner=owner)
    mine, theirs = save(ada)["workflow"], save(ada, query="?project=mill")["workflow"]
    token = add_token(user=owner, name="t", scopes=["write", "run"], project_id=project.pk)
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {token.value}")
    assert names(program) == [("deploy", False, True)]
    missing(program, mine)
    assert program.get(f"{V1}{theirs}/").status_code == 200
    assert program.post(V1, wording("# More")).status_code == 403
    assert program.post(f"{V1}?project=mill", wording("# More")).status_code == 201


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 10_000, ""])
def test_a_name_that_cannot_be_is_missing(name: str) -> None:
    _, ada = client_of("ada")
    with pytest.raises(NotFound):
        get_version(user=ada, workflow=name)


def test_an_operator_sees_all_and_names_anothers_by_its_id() -> None:
    ada, _ = client_of("ada")
    operator, _ = client_of("root", is_superuser=True)
    mine = save(ada)["workflow"]
    assert names(operator) == [("deploy", True, False)]
    assert operator.get(f"{V1}{mine}/versions/1/").status_code == 200
    # Nobody has their steps done with an operator's rights by a name that the operator takes for another one's.
    assert operator.post(f"{V1}executions/", {"workflow": "deploy"}).status_code == 404
    assert operator.post(f"{V1}executions/", {"workflow": mine}).status_code == 202
