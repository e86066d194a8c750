"""The paths of workflows, executions, events and tasks, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from backend.apps.workflows.api.control import ExecutionControlViewSet
from backend.apps.workflows.api.dry_runs import DryRunViewSet
from backend.apps.workflows.api.events import EventViewSet
from backend.apps.workflows.api.executions import ExecutionViewSet, StepTaskViewSet, StepViewSet
from backend.apps.workflows.api.saved_inputs import SavedInputsViewSet
from backend.apps.workflows.api.tasks import TaskViewSet
from backend.apps.workflows.api.workflows import VersionViewSet, VocabularyViewSet, WorkflowViewSet

WORKFLOW = "workflows/<uuid:workflow_id>/"
SAVED = f"{WORKFLOW}saved-inputs/"
EXECUTION = "workflows/executions/<uuid:execution_id>/"
CONTROLS = ("pause", "resume", "cancel", "retry", "rerun")

urlpatterns = [
    path("workflows/", WorkflowViewSet.as_view({"get": "list", "post": "create"}), name="workflows"),
    path("workflows/validate/", WorkflowViewSet.as_view({"post": "check"}), name="workflow-check"),
    path("workflows/dry-run/", DryRunViewSet.as_view({"post": "of_definition"}), name="definition-dry-run"),
    path("workflows/schema/", VocabularyViewSet.as_view({"get": "definition_schema"}), name="workflow-schema"),
    path("workflows/step-types/", VocabularyViewSet.as_view({"get": "step_types"}), name="step-types"),
    path("workflows/methods/", VocabularyViewSet.as_view({"get": "methods"}), name="methods"),
    path(WORKFLOW, WorkflowViewSet.as_view({"get": "retrieve"}), name="workflow"),
    path(f"{WORKFLOW}versions/", VersionViewSet.as_view({"get": "list"}), name="workflow-versions"),
    path(f"{WORKFLOW}versions/<int:number>/", VersionViewSet.as_view({"get": "retrieve"}), name="workflow-version"),
    path(f"{WORKFLOW}execute/", ExecutionViewSet.as_view({"post": "execute"}), name="workflow-execute"),
    path(f"{WORKFLOW}dry-run/", DryRunViewSet.as_view({"post": "of_workflow"}), name="workflow-dry-run"),
    path(SAVED, SavedInputsViewSet.as_view({"get": "list", "post": "create"}), name="all-saved-inputs"),
    path(
        f"{SAVED}<uuid:saved_id>/",
        SavedInputsViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="saved-inputs",
    ),
    path(
        f"{SAVED}<uuid:saved_id>/execute/", SavedInputsViewSet.as_view({"post": "execute"}), name="saved-inputs-execute"
    ),
    path("workflows/executions/", ExecutionViewSet.as_view({"get": "list", "post": "create"}), name="executions"),
    path(EXECUTION, ExecutionViewSet.as_view({"get": "retrieve"}), name="execution"),
    path(f"{EXECUTION}state/", ExecutionViewSet.as_view({"get": "state"}), name="execution-state"),
    path(f"{EXECUTION}steps/", StepViewSet.as_view({"get": "list"}), name="execution-steps"),
    path(f"{EXECUTION}tasks/", StepTaskViewSet.as_view({"get": "list"}), name="execution-tasks"),
    path(f"{EXECUTION}events/", EventViewSet.as_view({"get": "list"}), name="execution-events"),
    *(
        path(f"{EXECUTION}{name}/", ExecutionControlViewSet.as_view({"post": name}), name=f"execution-{name}")
        for name in CONTROLS
    ),
    path("workflows/tasks/", TaskViewSet.as_view({"get": "list", "post": "create"}), name="tasks"),
    path("workflows/tasks/<uuid:task_id>/", TaskViewSet.as_view({"get": "retrieve"}), name="task"),
    path("workflows/tasks/<uuid:task_id>/resolve/", TaskViewSet.as_view({"post": "resolve"}), name="task-resolve"),
]
