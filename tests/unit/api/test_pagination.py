"""How lists are cut into pages."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project


@pytest.fixture(autouse=True)
def many(user: User) -> None:
    Project.objects.bulk_create(
        Project(name=f"P{number:03}", slug=f"p{number:03}", owner=user) for number in range(130)
    )


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [("", "P000", 25), ("?page=2", "P025", 25), ("?page_size=7&page=2", "P007", 7), ("?page_size=1000", "P000", 100)],
)
def test_pages(client: APIClient, query: str, first: str, count: int) -> None:
    answer = client.get(f"/api/v1/projects/{query}").json()
    assert answer["count"] == 130
    assert (answer["results"][0]["name"], len(answer["results"])) == (first, count)


@pytest.mark.parametrize("page", ["0", "99", "-1", "x", "9" * 5000, "%00"])
def test_other_pages_are_not_there(client: APIClient, page: str) -> None:
    answer = client.get(f"/api/v1/projects/?page={page}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
