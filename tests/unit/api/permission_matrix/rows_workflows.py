"""Rows of workflows, executions and tasks: one execution and one call on the project, both started by its owner.

Where work can be started with and without a project, the row says the former.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import SavedInputs, StepExecution, TaskExecution, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import enqueue_method, save_definition, start_execution
from backend.apps.workflows.services.saved_inputs import save_inputs
from tests.unit.api.permission_matrix.table import (
    Answers,
    Row,
    controlling,
    own,
    own_writing,
    running,
    seeing,
)
from tests.unit.api.permission_matrix.world import World

DEFINITION: dict[str, Any] = {
    "name": "hello",
    "steps": [{"id": "a", "type": "file_generation", "config": {"readme": "# Hi"}}],
}
CALL: dict[str, Any] = {"method": "generation.write_file", "arguments": {"path": "a", "content": "b"}}


def version(world: World) -> WorkflowVersion:
    return save_definition(check_definition(DEFINITION), project_id=world.project.pk)


def saved(world: World) -> SavedInputs:
    workflow = version(world).workflow
    return save_inputs(user=world.owner, workflow=workflow, name="nightly", inputs={}, schema={})


def execution(world: World) -> WorkflowExecution:
    found = WorkflowExecution.objects.filter(project_id=world.project.pk).first()
    return found or start_execution(
        version=version(world), inputs={}, user=world.owner, project_id=world.project.pk, project_name="mill"
    )


def task(world: World) -> TaskExecution:
    return enqueue_method(**CALL, key="k", user=world.owner, project_id=world.project.pk)


def change(**values: Any) -> Any:
    def prepare(world: World) -> object:
        return WorkflowExecution.objects.filter(pk=execution(world).pk).update(**values)

    return prepare


def fail_step(world: World) -> object:
    TaskExecution.objects.filter(execution=execution(world)).update(status="failed", next_publish_at=None)
    return StepExecution.objects.filter(execution=execution(world)).update(status="failed")


def doubt(world: World) -> object:
    return TaskExecution.objects.filter(pk=task(world).pk).update(status="in_doubt", next_publish_at=None)


OBJECTS = {
    "workflow_id": lambda world: version(world).workflow_id,
    "number": lambda world: version(world).number,
    "saved_id": lambda world: saved(world).pk,
    "execution_id": lambda world: execution(world).pk,
    "task_id": lambda world: task(world).pk,
}
SAVED = "workflows/<uuid:workflow_id>/saved-inputs/"
THEIRS = Answers(401, 404, 404, 404, 404, 200, 404, 403, 200, 403, 403)
"""For what the owner alone has, also where others see the project."""
RUN = "workflows/executions/<uuid:execution_id>/"

ROWS = [
    Row("GET", "workflows/", own()),
    Row("POST", "workflows/", own_writing(201), body=DEFINITION),
    Row("POST", "workflows/validate/", own(), body=DEFINITION),
    Row("GET", "workflows/schema/", own()),
    Row("GET", "workflows/step-types/", own()),
    Row("GET", "workflows/methods/", own()),
    Row("GET", "workflows/<uuid:workflow_id>/", seeing()),
    Row("GET", "workflows/<uuid:workflow_id>/versions/", seeing()),
    Row("GET", "workflows/<uuid:workflow_id>/versions/<int:number>/", seeing()),
    Row("POST", "workflows/<uuid:workflow_id>/execute/", running(202), body={"project": "mill"}),
    Row("POST", "workflows/<uuid:workflow_id>/dry-run/", running(200), body={"project": "mill"}),
    Row("POST", "workflows/dry-run/", running(200), body={"definition": DEFINITION, "project": "mill"}),
    Row("GET", SAVED, seeing()),
    # Whoever sees a workflow may keep inputs for it, for themselves; the owner's are nobody else's.
    Row("POST", SAVED, Answers(401, 404, 201, 201, 201, 201, 201, 403, 201, 403, 403), body={"name": "mine"}),
    Row("GET", f"{SAVED}<uuid:saved_id>/", THEIRS._replace(token_read=200, token_run=200, token_manage=200)),
    Row("DELETE", f"{SAVED}<uuid:saved_id>/", THEIRS._replace(owner=204, token_write=204)),
    Row(
        "POST",
        f"{SAVED}<uuid:saved_id>/execute/",
        THEIRS._replace(owner=202, token_write=403, token_run=202),
        body={"project": "mill"},
    ),
    Row("GET", "workflows/executions/", own()),
    Row("POST", "workflows/executions/", running(202), body={"workflow": "hello", "project": "mill"}, prepare=version),
    Row("GET", RUN, seeing()),
    Row("GET", f"{RUN}state/", seeing()),
    Row("GET", f"{RUN}steps/", seeing()),
    Row("GET", f"{RUN}tasks/", seeing()),
    Row("GET", f"{RUN}events/", seeing()),
    Row("POST", f"{RUN}pause/", controlling(200)),
    Row("POST", f"{RUN}resume/", controlling(200), prepare=change(paused_at=timezone.now())),
    Row("POST", f"{RUN}cancel/", controlling(200)),
    Row("POST", f"{RUN}retry/", controlling(200), body={"step": "a"}, prepare=fail_step),
    Row("POST", f"{RUN}rerun/", controlling(202), body={}),
    Row("GET", "workflows/tasks/", own()),
    Row("POST", "workflows/tasks/", running(202), body={**CALL, "project": "mill"}),
    Row("GET", "workflows/tasks/<uuid:task_id>/", seeing()),
    Row("POST", "workflows/tasks/<uuid:task_id>/resolve/", controlling(200), body={"outcome": "done"}, prepare=doubt),
]
