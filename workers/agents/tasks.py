"""Tasks of AgentAPICaller: one for each method."""

from __future__ import annotations

from typing import Any

from workers.call import TaskCall
from workers.service_task import service_task


@service_task("agents.call")
def call(
    task: TaskCall,
    *,
    method: str,
    endpoint: str,
    data: Any = None,  # noqa: ANN401  (JSON)
    params: dict[str, Any] | None = None,
) -> Any:  # noqa: ANN401  (JSON)
    """Make one call of the REST API."""
    return task.api(lambda api: api.call(method, endpoint, data, params))


@service_task("agents.create_story")
def create_story(task: TaskCall, *, project_id: str, title: str, description: str, **fields: Any) -> Any:  # noqa: ANN401
    """Create a story."""
    return task.api(lambda api: api.create_story(project_id, title, description, **fields))


@service_task("agents.update_story_status")
def update_story_status(task: TaskCall, *, story_id: str, status: str) -> Any:  # noqa: ANN401
    """Change a story's status."""
    return task.api(lambda api: api.update_story_status(story_id, status))


@service_task("agents.create_sprint")
def create_sprint(
    task: TaskCall,
    *,
    project_id: str,
    name: str,
    start_date: str,
    end_date: str,
    **fields: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Create a sprint."""
    return task.api(lambda api: api.create_sprint(project_id, name, start_date, end_date, **fields))


@service_task("agents.update_sprint")
def update_sprint(task: TaskCall, *, sprint_id: str, **fields: Any) -> Any:  # noqa: ANN401
    """Change a sprint."""
    return task.api(lambda api: api.update_sprint(sprint_id, **fields))


@service_task("agents.get_project")
def get_project(task: TaskCall, *, project_id: str) -> Any:  # noqa: ANN401
    """Read a project."""
    return task.api(lambda api: api.get_project(project_id))


@service_task("agents.list_stories")
def list_stories(task: TaskCall, *, project_id: str, **filters: Any) -> Any:  # noqa: ANN401
    """List a project's stories."""
    return task.api(lambda api: api.list_stories(project_id, **filters))


@service_task("agents.list_sprints")
def list_sprints(task: TaskCall, *, project_id: str, **filters: Any) -> Any:  # noqa: ANN401
    """List a project's sprints."""
    return task.api(lambda api: api.list_sprints(project_id, **filters))


@service_task("agents.discover_endpoints")
def discover_endpoints(task: TaskCall) -> Any:  # noqa: ANN401
    """List the endpoints that the API's document names."""
    return task.api(lambda api: api.discover_endpoints())
