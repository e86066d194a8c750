"""People around one project, and executions that are started over REST without a broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import WorkflowVersion
from backend.apps.workflows.services import save_definition

V1 = "/api/v1"
PEOPLE = ("owner", "viewer", "author", "maintainer", "stranger", "operator")


@pytest.fixture
def people(db: None) -> dict[str, User]:
    return {name: User.objects.create_user(name, is_superuser=name == "operator") for name in PEOPLE}


@pytest.fixture
def project(people: dict[str, User]) -> Project:
    project = Project.objects.create(name="Mill", slug="mill", owner=people["owner"])
    for role in ("viewer", "author", "maintainer"):
        ProjectMembership.objects.create(project=project, user=people[role], role=role)
    return project


@pytest.fixture
def client_of(people: dict[str, User]) -> Callable[[str], APIClient]:
    def client(name: str) -> APIClient:
        made = APIClient()
        made.force_authenticate(people[name])
        return made

    return client


@pytest.fixture
def author(client_of: Callable[[str], APIClient]) -> APIClient:
    return client_of("author")


@pytest.fixture
def version(db: None) -> WorkflowVersion:
    definition: dict[str, Any] = {
        "name": "hello",
        "description": "Says hello.",
        "inputs": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "project": {"type": "string"},
                "sesame": {"type": "string", "writeOnly": True},
            },
        },
        "steps": [{"id": "a", "type": "one", "config": {"n": "${{ inputs.name }}"}}, {"id": "b", "type": "three"}],
        "outputs": {"all": "${{ steps.a.result }}"},
    }
    return save_definition(check_definition(definition))


@pytest.fixture
def begin(author: APIClient, version: WorkflowVersion, broker: Any) -> Callable[..., str]:
    """Starts an execution over REST and returns its id."""

    def start(client: APIClient | None = None, **more: Any) -> str:
        body = {"input_data": {"name": "x"}, **more}
        answer = (client or author).post(f"{V1}/workflows/{version.workflow_id}/execute/", body)
        assert answer.status_code == 202, answer.json()
        return str(answer.json()["id"])

    return start
