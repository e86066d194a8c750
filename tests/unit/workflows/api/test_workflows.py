"""Workflows and versions over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from backend.apps.workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db
V1 = "/api/v1/workflows"
YAML = "name: hi\nsteps:\n  - id: a\n    type: one\n"


def save(client: APIClient, text: str, kind: str = "application/yaml", path: str = "/") -> Any:
    return client.post(f"{V1}{path}", data=text, content_type=kind)


def test_a_definition_is_saved_once_for_each_wording(author: APIClient) -> None:
    first = save(author, YAML)
    assert (first.status_code, first.json()["version"], first.json()["definition"]["name"]) == (201, 1, "hi")
    assert author.get(first["Location"]).json() == first.json()
    again = save(author, '{"steps": [{"type": "one", "id": "a"}], "name": "hi"}', "application/json")
    assert (again.status_code, again.json()) == (200, first.json())
    other = save(author, YAML + "    max_retries: 3\n")
    assert (other.status_code, other.json()["version"]) == (201, 2)
    path = f"{V1}/{other.json()['workflow']}/"
    assert [each["version"] for each in author.get(f"{path}versions/").json()["results"]] == [2, 1]
    assert author.get(path).json()["newest_version"] == 2
    assert author.get(f"{path}versions/1/").json() == first.json()


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("name: hi\nsteps:\n  - id: a\n    type: won\n", "application/yaml", {"line": 4, "path": "steps[0].type"}),
        ('{"name": "hi",\n "steps": [{"id": "a", "type": "won"}]}', "application/json", {"line": 2, "step": "a"}),
        ("a: &x 1\n", "application/yaml", {"line": 1}),
        ("{", "application/json", {"line": 1}),
        (b"name: \xff\n", "application/yaml", {"line": 1}),
        ("", "application/json", {}),
        ("", "application/yaml", {}),
        ("[]", "application/json", {}),
    ],
)
def test_a_bad_definition_is_told_by_its_place_and_nothing_is_kept(
    author: APIClient, text: Any, kind: str, place: dict[str, Any]
) -> None:
    answer = save(author, text, kind)
    said = answer.json()
    assert (answer.status_code, said["code"]) == (400, "invalid_definition")
    assert {name: said.get(name) for name in place} == place
    checked = save(author, text, kind, "/validate/")
    if checked.status_code == 200:
        (fault,) = checked.json()["errors"]
        assert not checked.json()["valid"]
        assert {name: fault[name] for name in place} == place
    assert not Workflow.objects.exists()


def test_other_kinds_of_body_are_a_415(author: APIClient) -> None:
    answer = save(author, "x", "text/plain")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_definition_is_only_checked(author: APIClient) -> None:
    answer = save(author, YAML, path="/validate/")
    assert answer.json() == {"valid": True, "name": "hi", "steps": ["a"], "errors": []}
    assert not Workflow.objects.exists()


def test_workflows_are_searched_and_ordered(author: APIClient) -> None:
    for name in ("bread", "beer", "cake"):
        save(author, YAML.replace("hi", name))

    def names(query: str) -> list[str]:
        return [each["name"] for each in author.get(f"{V1}/{query}").json()["results"]]

    assert names("") == ["beer", "bread", "cake"]
    assert names("?search=B") == ["beer", "bread"]
    assert names("?search=b&ordering=-name&page_size=1") == ["bread"]


def test_an_unknown_parameter_is_refused_with_the_known_ones(author: APIClient) -> None:
    answer = author.get(f"{V1}/?serach=x")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "serach")
    assert "search, ordering" in answer.json()["detail"]


def test_a_list_of_workflows_takes_the_same_queries_however_many(
    author: APIClient, django_assert_num_queries: Callable[..., Any]
) -> None:
    for number in range(3):
        save(author, YAML.replace("hi", f"w{number}"))
    with django_assert_num_queries(2):
        author.get(f"{V1}/")


@pytest.mark.parametrize(
    "path",
    ["{none}/", "{none}/versions/", "{none}/versions/1/", "{known}/versions/2/", "{known}/versions/99999999999/"],
)
def test_what_is_not_there(author: APIClient, version: WorkflowVersion, path: str) -> None:
    answer = author.get(f"{V1}/" + path.format(none=uuid4(), known=version.workflow_id))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_vocabulary(author: APIClient) -> None:
    assert author.get(f"{V1}/schema/").json()["title"] == "Repomill workflow definition"
    assert "repo_creation" in [each["name"] for each in author.get(f"{V1}/step-types/").json()]
    methods = {each["name"]: each for each in author.get(f"{V1}/methods/").json()}
    assert methods["generation.write_file"]["required"] == ["path", "content"]


@pytest.mark.parametrize("path", ["/", "/schema/", "/step-types/", "/methods/"])
def test_strangers_without_a_token_see_nothing(db: None, path: str) -> None:
    assert APIClient().get(f"{V1}{path}").status_code == 401
