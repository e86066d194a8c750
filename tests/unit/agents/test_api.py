"""The audit trail over REST."""

from __future__ import annotations

from rest_framework.test import APIClient

from backend.apps.agents.models import AgentAction
from backend.apps.agents.services.acting import Via
from backend.apps.authentication.models import User
from backend.apps.projects.models import Project


def test_the_trail_of_a_project_is_listed_newest_first(user: User) -> None:
    shop = Project.objects.create(name="Shop", slug="shop", owner=user)
    other = Project.objects.create(name="Other", slug="other", owner=user)
    for project, action in ((shop, "files.write"), (shop, "package"), (other, "files.read")):
        AgentAction.objects.create(
            user=user, via=Via.MCP_HTTP, action=action, project_id=project.pk, project_name=project.slug, about={"n": 1}
        )
    client = APIClient()
    client.force_authenticate(user)
    answer = client.get(f"/api/v1/projects/{shop.pk}/agent-actions/", {"page_size": 1})
    first = answer.json()
    assert [row["action"] for row in first["results"]] == ["package"]
    assert (
        first["results"][0] | {"user": "ada", "via": "mcp-http", "status": "begun", "about": {"n": 1}}
        == first["results"][0]
    )
    rest = client.get(first["next"]).json()
    assert [row["action"] for row in rest["results"]] == ["files.write"]
    assert rest["next"] is None
