"""Saved inputs over REST: kept without secrets, one's own alone, and started with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client as Browser
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import SavedInputs, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import save_definition
from backend.apps.workflows.services.saved_inputs import MOST

pytestmark = pytest.mark.django_db
V1 = "/api/v1/workflows"
SECRET = "open-CANARY-please"


@pytest.fixture
def path(version: WorkflowVersion) -> str:
    return f"{V1}/{version.workflow_id}/saved-inputs/"


def kept(client: APIClient, path: str, called: str = "nightly", /, **inputs: Any) -> dict[str, Any]:
    answer = client.post(path, {"name": called, "input_data": inputs})
    assert answer.status_code in {200, 201}, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def test_inputs_are_kept_by_a_name_and_replaced_under_it(author: APIClient, path: str) -> None:
    first = author.post(path, {"name": " nightly  build ", "input_data": {"name": "x"}})
    assert (first.status_code, first.json()["name"]) == (201, "nightly build")
    whole = author.get(first["Location"]).json()
    assert whole == {name: value for name, value in first.json().items() if name != "left_out"}
    assert whole["input_data"] == {"name": "x"}
    again = author.post(path, {"name": "nightly build", "input_data": {}})
    assert (again.status_code, again.json()["id"], again.json()["input_data"]) == (200, whole["id"], {})
    kept(author, path, "a first one")
    listed = author.get(path).json()
    assert (listed["count"], [each["name"] for each in listed["results"]]) == (2, ["a first one", "nightly build"])
    assert "input_data" not in listed["results"][0]


def test_secrets_are_left_out_and_it_is_said_which(author: APIClient, path: str) -> None:
    saved = kept(author, path, name="x", sesame=SECRET, token=SECRET, project="mill")
    assert saved["left_out"] == ["sesame", "token"]
    assert saved["input_data"] == {"name": "x", "project": "mill"}
    assert SECRET not in json.dumps(list(SavedInputs.objects.values()), default=str)


def test_what_is_secret_is_said_by_the_version_that_is_named(author: APIClient, path: str) -> None:
    wording = {
        "name": "hello",
        "inputs": {"properties": {"sesame": {"type": "string"}}},
        "steps": [{"id": "a", "type": "one"}],
    }
    save_definition(check_definition(wording))
    body = {"name": "n", "input_data": {"sesame": SECRET}}
    assert author.post(path, {**body, "version": 1}).json()["left_out"] == ["sesame"]
    assert author.post(path, {**body, "version": 2}).json()["left_out"] == []
    assert author.post(path, {**body, "version": 3}).status_code == 404


def test_they_are_started_with_and_secrets_are_given_anew(
    author: APIClient, path: str, project: Project, broker: Any
) -> None:
    saved = kept(author, path, name="x", sesame=SECRET)
    answer = author.post(f"{path}{saved['id']}/execute/", {"project": "mill", "input_data": {"sesame": SECRET}})
    assert answer.status_code == 202, answer.json()
    run = WorkflowExecution.objects.get(pk=answer.json()["id"])
    assert (run.project_id, run.input_data["name"], run.input_data["project"]) == (project.pk, "x", str(project.pk))
    assert author.get(answer["Location"]).status_code == 200
    other = author.post(f"{path}{saved['id']}/execute/", {"input_data": {"name": "y"}})
    assert WorkflowExecution.objects.get(pk=other.json()["id"]).input_data["name"] == "y"
    # What is kept stays what it was.
    assert author.get(f"{path}{saved['id']}/").json()["input_data"] == {"name": "x"}


def test_a_start_is_done_once_with_a_key(author: APIClient, path: str, broker: Any) -> None:
    saved = kept(author, path, name="x")
    answers = [author.post(f"{path}{saved['id']}/execute/", {}, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert WorkflowExecution.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "n", "input_data": []}, "input_data"),
        ({"name": "n", "inputs": {}}, "inputs"),
        ({"name": "n", "version": 0}, "version"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(
    author: APIClient, path: str, body: dict[str, Any], field: str
) -> None:
    answer = author.post(path, body)
    said = answer.json()
    assert (answer.status_code, said["code"]) == (400, "invalid_input"), said
    assert field in [each["field"] for each in said["errors"]], said
    assert not SavedInputs.objects.exists()


def test_inputs_that_do_not_fit_start_nothing(author: APIClient, path: str, broker: Any) -> None:
    saved = kept(author, path)
    answer = author.post(f"{path}{saved['id']}/execute/", {})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert [each["field"] for each in answer.json()["errors"]] == ["input_data"]
    assert not WorkflowExecution.objects.exists()


def test_only_so_many_are_kept(author: APIClient, path: str) -> None:
    for number in range(MOST):
        kept(author, path, f"n{number}")
    assert author.post(path, {"name": "one more"}).status_code == 409
    # One that is there can be replaced still.
    assert author.post(path, {"name": "n0"}).status_code == 200


def test_nobody_else_sees_uses_or_removes_them(
    author: APIClient, client_of: Callable[[str], APIClient], path: str, broker: Any
) -> None:
    saved = kept(author, path, name="x")
    for name in ("owner", "maintainer", "operator", "stranger"):
        other = client_of(name)
        assert other.get(path).json()["count"] == 0
        for answer in (
            other.get(f"{path}{saved['id']}/"),
            other.delete(f"{path}{saved['id']}/"),
            other.post(f"{path}{saved['id']}/execute/", {}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert author.delete(f"{path}{saved['id']}/").status_code == 204
    assert author.get(f"{path}{saved['id']}/").status_code == 404


def test_one_of_another_workflow_is_none_of_this(author: APIClient, path: str) -> None:
    saved = kept(author, path, name="x")
    step = {"id": "a", "type": "one"}
    other = save_definition(check_definition({"name": "other", "steps": [step]}))
    for workflow in (other.workflow_id, uuid4()):
        assert author.get(f"{V1}/{workflow}/saved-inputs/{saved['id']}/").status_code == 404
        assert author.post(f"{V1}/{workflow}/saved-inputs/{saved['id']}/execute/", {}).status_code == 404


def test_who_sees_the_workflow_no_more_has_no_use_of_them(
    author: APIClient, people: dict[str, User], project: Project
) -> None:
    step = {"id": "a", "type": "one"}
    inside = save_definition(check_definition({"name": "inside", "steps": [step]}), project_id=project.pk)
    path = f"{V1}/{inside.workflow_id}/saved-inputs/"
    saved = kept(author, path)
    project.memberships.filter(user=people["author"]).delete()
    for answer in (
        author.get(path),
        author.post(path, {"name": "n"}),
        author.get(f"{path}{saved['id']}/"),
        author.post(f"{path}{saved['id']}/execute/", {}),
    ):
        assert answer.status_code == 404


def test_they_are_those_of_the_consoles_form(
    author: APIClient, people: dict[str, User], path: str, version: Any
) -> None:
    browser = Browser()
    browser.force_login(people["author"])
    browser.post(
        f"/console/workflows/{version.workflow_id}/start/", {"do": "save", "save_as": "from the form", "in/name": "x"}
    )
    (found,) = author.get(path).json()["results"]
    assert found["name"] == "from the form"
    assert author.get(f"{path}{found['id']}/").json()["input_data"] == {"name": "x"}
