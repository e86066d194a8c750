"""OPTIONS says what may be asked, and nothing of what is there."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from backend.apps.projects.services.planning import create_project

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/api/v1/projects/", "/api/v1/projects/{id}/", "/api/v1/projects/{id}/stories/"])
def test_options_name_the_methods(client: APIClient, user: object, path: str) -> None:
    project = create_project(user=user, name="Mill")  # type: ignore[arg-type]
    answer = client.options(path.format(id=project.pk))
    assert answer.status_code == 200
    assert {"GET", "OPTIONS"} <= set(answer["Allow"].replace(" ", "").split(","))


def test_options_tell_a_stranger_nothing(client: APIClient) -> None:
    answer = client.options("/api/v1/projects/00000000-0000-4000-8000-000000000000/")
    assert answer.status_code == 200
    assert set(answer.json()) == {"name"}
