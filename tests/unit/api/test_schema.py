"""The API's description is whole, and the pages that show it need nothing from elsewhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from backend.apps.agents.services import openapi


@pytest.fixture
def document(db: None) -> Any:
    return Client().get("/api/schema/", headers={"Accept": "application/json"}).json()


def test_the_description_is_valid_without_a_warning(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))
    assert (tmp_path / "schema.yml").stat().st_size > 1000


def test_every_operation_answers_errors_as_problems(document: Any) -> None:
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len(operations) > 15
    for operation in operations:
        assert "application/problem+json" in operation["responses"]["default"]["content"]
        assert operation["description"]
    assert "Problem" in document["components"]["schemas"]


def test_unsafe_methods_show_the_key_except_where_it_is_not_honoured(document: Any) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            shows = any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", []))
            # Nothing is kept of a dry run that could be given again.
            without = path.startswith("/api/v1/auth/") or path.endswith("/dry-run/")
            assert shows == (method != "get" and not without), (method, path)


def test_what_was_made_leads_to_every_call_that_takes_its_id(document: Any) -> None:
    operations = {
        said["operationId"]: (path, said) for path, item in document["paths"].items() for said in item.values()
    }
    followed = set()
    for path, said in operations.values():
        for answer in said["responses"].values():
            for name, link in answer.get("links", {}).items():
                followed.add(name)
                target, _ = operations[link["operationId"]]
                assert sorted(link["parameters"]) == sorted(re.findall(r"{(\w+)}", target)), (path, name)
                for value in link["parameters"].values():
                    where, _, member = value.rpartition("/" if "#" in value else ".")
                    if where == "$response.body#":
                        held = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                        assert member in document["components"]["schemas"][held]["properties"], (path, value)
                    else:
                        assert f"{{{member}}}" in path, (path, value)
    with_ids = {name for name, (path, _) in operations.items() if "{" in path}
    # A file is not made by a call of its own, and of a token only its value is told; both are found in lists.
    in_lists = ("{file_id}", "{token_id}")
    assert with_ids - followed == {n for n, (path, _) in operations.items() if any(each in path for each in in_lists)}


def test_tokens_are_asked_for_everywhere_else(document: Any) -> None:
    # A download link is its own permission.
    without = ("/api/v1/auth/token/", "/api/v1/downloads/")
    for path, item in document["paths"].items():
        for operation in item.values():
            for scheme in ("jwtAuth", "serviceToken"):
                asked = {scheme: []} in operation.get("security", [])
                assert asked != path.startswith(without), path


def test_an_agent_can_read_it(document: Any) -> None:
    operations = {each["path"] + " " + each["method"]: each for each in openapi.operations(document)}
    create = operations["/api/v1/projects/{project_id}/stories/ POST"]
    assert create["summary"] == "Create a story"
    assert create["body_schema"]["properties"]["status"]
    assert {each["name"] for each in create["parameters"]} == {"project_id", "Idempotency-Key"}


def test_it_is_not_sent_again_to_who_has_it(db: None) -> None:
    first = Client().get("/api/schema/", headers={"Accept": "application/json"})
    again = Client().get("/api/schema/", headers={"Accept": "application/json", "If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("page", ["/api/docs/", "/api/redoc/"])
def test_the_pages_load_nothing_from_elsewhere(db: None, page: str) -> None:
    answer = Client().get(page)
    assert answer.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', answer.content.decode())
    assert sources
    assert [each for each in sources if "://" in each or each.startswith("//")] == []


def test_the_root_leads_to_the_pages() -> None:
    answer = Client().get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/console/")


def test_the_admin_is_there(db: None) -> None:
    there = Client().get("/admin/", follow=True)
    assert (there.status_code, there.redirect_chain[-1][0]) == (200, "/console/login/?next=/admin/")
