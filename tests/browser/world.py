"""A small world for pages to show: people, a project, and runs in every standing, done by the real engine.

Only the services are played: each answers at once with what a real one would, or fails as one does. `build` runs inside
an installation's process.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.db.models import F

from backend.apps.authentication.models import User
from backend.apps.projects.services.planning import create_project
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.execution.claim import ClaimedTask
from backend.apps.workflows.execution.run import Completed, execute
from backend.apps.workflows.models import ExecutionEvent, StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.services import pause_execution, save_definition, start_execution
from backend.errors import InDoubt, RateLimited, RemoteRefused, RemoteUnreachable
from tests.browser.people import AUTHOR, OPERATOR, PASSWORD

COMMIT = "4f2a91c07d5be61f7e9d0a3c58e2b46a1d9f7c30"
Service = Callable[[ClaimedTask], Any]

PUBLISH: dict[str, Any] = {
    "name": "publish-service",
    "description": "Generate a service, package it, and push it to GitHub.",
    "inputs": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z][a-z0-9-]+$"},
            "private": {"type": "boolean", "default": True},
        },
    },
    "steps": [
        {
            "id": "story",
            "type": "api_call",
            "config": {"method": "POST", "endpoint": "/projects/shop/stories/", "data": {"title": "Publish it"}},
        },
        {
            "id": "files",
            "type": "file_generation",
            "depends_on": [],
            "config": {"structure": {"src": {"main.py": "print('hi')\n"}}, "readme": "# ${{ inputs.name }}\n"},
        },
        {
            "id": "publish",
            "name": "Publish to GitHub",
            "type": "repo_creation",
            "depends_on": ["story", "files"],
            "config": {"host": "github", "credential": "acme-bot", "repository_name": "${{ inputs.name }}"},
        },
        {
            "id": "archive",
            "type": "repo_creation",
            "depends_on": ["files"],
            "config": {"export_type": "zip"},
        },
        {
            "id": "done",
            "name": "Close the story",
            "type": "api_call",
            "depends_on": ["publish", "archive"],
            "config": {"method": "PATCH", "endpoint": "/projects/shop/stories/1/", "data": {"status": "done"}},
        },
    ],
    "outputs": {"commit": "${{ steps.publish.result.commit }}"},
}
PORTFOLIO: dict[str, Any] = {
    "name": "refresh-portfolio",
    "inputs": {"type": "object", "properties": {"services": {"type": "array", "items": {"type": "string"}}}},
    "steps": [
        {"id": "list", "type": "api_call", "config": {"method": "GET", "endpoint": "/projects/"}},
        {
            "id": "each_service",
            "name": "Refresh each service",
            "type": "api_call",
            "each": "${{ inputs.services }}",
            "max_parallel": 20,
            "config": {"method": "GET", "endpoint": "/projects/${{ item }}/"},
        },
        {"id": "report", "type": "file_generation", "config": {"readme": "# Portfolio\n"}},
    ],
}


class Player:
    """Takes the messages that would go to the broker, and does their work with played services."""

    def __init__(self) -> None:
        self.chains: deque[list[Any]] = deque()

    def publish(self, tasks: Any) -> bool:
        self.chains.append([task.pk for task in tasks])
        return True

    def play(self, service: Service, *, most: int = 10_000) -> None:
        """Do what there is to do; not more than `most` tasks."""
        while self.chains and most:
            most -= 1
            first, *rest = self.chains.popleft()
            done = execute(first, service=service, worker="generation@mill-1")
            if isinstance(done, Completed) and rest:
                self.chains.append(rest)

    def at_once(self, execution: WorkflowExecution) -> None:
        """Let what waits for a later attempt be tried now."""
        waiting = TaskExecution.objects.filter(execution=execution, status="pending", not_before__isnull=False)
        for task in waiting:
            TaskExecution.objects.filter(pk=task.pk).update(not_before=None)
            rest = TaskExecution.objects.filter(step=task.step, item=task.item, position__gt=task.position)
            self.chains.append([task.pk, *rest.order_by("position").values_list("pk", flat=True)])


@contextmanager
def player() -> Iterator[Player]:
    """Play the broker and the workers."""
    playing = Player()
    with patch("backend.apps.workflows.execution.chains.publish_chain", playing.publish):
        yield playing


def at_once(claimed: ClaimedTask) -> Any:
    """Answer as the services do when all is well, in no time."""
    if claimed.method.startswith("export.export_to"):
        return {"html_url": "https://github.com/acme/shop", "commit": COMMIT, "created": True}
    return {"commit": COMMIT, "total_files": 12, "total_size": 48_213, "items": []}


def answers(claimed: ClaimedTask) -> Any:
    """Answer as the services do when all is well, in a time that can be seen."""
    time.sleep({"generation.generate": 0.06, "export.export_to_github": 0.15}.get(claimed.method, 0.02))
    return at_once(claimed)


def failing(method: str, error: Exception) -> Service:
    """Return services of which one fails."""

    def serve(claimed: ClaimedTask) -> Any:
        if claimed.method == method:
            raise error
        return at_once(claimed)

    return serve


def begin(user: User, definition: dict[str, Any], inputs: dict[str, Any], **more: Any) -> WorkflowExecution:
    """Start a run of a definition."""
    version = save_definition(check_definition(definition))
    return start_execution(version=version, inputs=inputs, user=user, **more)


def age(execution: WorkflowExecution, by: timedelta) -> None:
    """Let a run have been earlier."""
    for model, names in (
        (WorkflowExecution, ("created_at", "started_at", "completed_at", "updated_at")),
        (StepExecution, ("started_at", "completed_at")),
        (TaskExecution, ("created_at", "started_at", "completed_at", "published_at")),
        (ExecutionEvent, ("created_at",)),
    ):
        rows: Any = model.objects.order_by()
        own = rows.filter(pk=execution.pk) if model is WorkflowExecution else rows.filter(execution=execution)
        own.update(**{name: F(name) - by for name in names})


def people() -> tuple[User, User]:
    """Make an operator and an author."""
    operator = User.objects.create_superuser(OPERATOR, password=PASSWORD)
    return operator, User.objects.create_user(AUTHOR, password=PASSWORD)


def build(words: Sequence[str] = ()) -> dict[str, str]:
    """Make the world; return the ids of its runs by what they show. words: hostile names for a run of their own."""
    operator, ada = people()
    project = create_project(user=ada, name="Shop", slug="shop", description="")
    place = {"project_id": project.pk, "project_name": "shop"}
    made: dict[str, WorkflowExecution] = {}
    with player() as world:
        for minutes in (50, 44, 43, 31, 30, 29, 12, 11, 4, 2):
            old = begin(ada, PUBLISH, {"name": "shop"}, **place)
            world.play(at_once if minutes != 31 else failing("agents.call", RemoteRefused("The API said no.")))
            age(old, timedelta(minutes=minutes))
        made["completed"] = begin(ada, PUBLISH, {"name": "shop"}, **place)
        world.play(failing("export.export_to_github", RemoteUnreachable("github.com did not answer in 10 s.")))
        world.at_once(made["completed"])
        world.play(failing("export.export_to_github", RemoteUnreachable("github.com did not answer in 10 s.")))
        world.at_once(made["completed"])
        world.play(answers)
        made["failed"] = begin(ada, PUBLISH, {"name": "shop"}, **place)
        hint = "Choose another name, or give the credential access to it."
        world.play(
            failing("export.export_to_github", RemoteRefused("The repository acme/shop is somebody else's.", hint=hint))
        )
        made["in_doubt"] = begin(operator, PUBLISH, {"name": "billing"})
        world.play(failing("agents.call", InDoubt("The answer to POST /projects/shop/stories/ was lost.")))
        made["parked"] = begin(ada, PUBLISH, {"name": "limits"}, **place)
        limited = RateLimited("GitHub asks to wait until its limit is reset.", retry_after=1_800)
        world.play(failing("export.export_to_github", limited))
        made["many"] = begin(ada, PORTFOLIO, {"services": [f"service-{number}" for number in range(120)]}, **place)
        world.play(failing("nothing", ValueError()), most=90)
        made["paused"] = begin(operator, PORTFOLIO, {"services": ["one", "two"]})
        pause_execution(execution_id=made["paused"].pk, user=operator)
        if words:
            made["hostile"] = _hostile(ada, words)
            world.play(failing("agents.call", RemoteRefused(" ".join(words)[:4000], hint=words[0][:500])))
    return {name: str(execution.pk) for name, execution in made.items()}


def _hostile(user: User, words: Sequence[str]) -> WorkflowExecution:
    steps = [
        {
            "id": f"step_{number}",
            "name": word[:100],
            "type": "api_call",
            "depends_on": [],
            "config": {"method": "GET", "endpoint": "/projects/", "params": {"q": word}},
        }
        for number, word in enumerate(words[:20])
    ]
    inputs = {"type": "object", "properties": {"words": {"type": "array"}}}
    definition = {"name": "hostile", "description": words[0][:100], "inputs": inputs, "steps": steps}
    return begin(user, definition, {"words": list(words)}, project_name=words[1][:200])
