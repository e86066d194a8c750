"""The addresses of the pages of workflows, which are named by their ids: several may have one name."""

from __future__ import annotations

from django.urls import URLPattern, path

from backend.console.views import editor, start, workflows

WORKFLOWS = "workflows/"
NAMED = f"{WORKFLOWS}<uuid:workflow_id>/"

urlpatterns: list[URLPattern] = [
    path(WORKFLOWS, workflows.workflows, name="workflows"),
    path(f"{WORKFLOWS}-/editor/", editor.editor, name="editor"),
    path(f"{WORKFLOWS}-/check/", editor.check, name="editor-check"),
    path(f"{WORKFLOWS}-/dry-run/", editor.dry_run_part, name="editor-dry-run"),
    path(f"{WORKFLOWS}-/saved/<uuid:saved_id>/remove/", start.remove_saved, name="saved-remove"),
    path(NAMED, workflows.workflow, name="workflow"),
    path(f"{NAMED}versions/<int:number>/", workflows.version, name="workflow-version"),
    path(f"{NAMED}start/", start.start, name="workflow-start"),
]
