"""The addresses of the pages of workflows, below /console/workflows/. No workflow's name begins with a hyphen."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from backend.console.views import editor, start, workflows

NAMED = "<slug:name>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", workflows.workflows, name="workflows"),
    path("-/editor/", editor.editor, name="editor"),
    path("-/check/", editor.check, name="editor-check"),
    path("-/dry-run/", editor.dry_run_part, name="editor-dry-run"),
    path("-/saved/<uuid:saved_id>/remove/", start.remove_saved, name="saved-remove"),
    path(NAMED, workflows.workflow, name="workflow"),
    path(f"{NAMED}versions/<int:number>/", workflows.version, name="workflow-version"),
    path(f"{NAMED}start/", start.start, name="workflow-start"),
]
