"""What stands in an address is never an error of the server: PostgreSQL refuses a NUL in what is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import pytest
from django.urls import resolve
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.workflows.models import WorkflowExecution
from tests.unit.console.conftest import browser
from tests.unit.console.projects.conftest import generated

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = {
    "/console/runs/": ("status", "workflow", "user", "project", "search", "cursor", "created_after"),
    "/console/runs/RUN/log/": ("step", "search", "after", "before", "problems"),
    "/console/runs/RUN/": ("step", "search"),
    "/console/runs/RUN/steps/publish/": ("after",),
    "/console/runs/RUN/steps/%00/": (),
    "/console/workflows/": ("search", "page"),
    "/console/workflows/WORKFLOW/": ("against", "version", "page"),
    "/console/workflows/WORKFLOW/start/": ("version", "project", "saved", "again"),
    "/console/workflows/-/editor/": ("workflow", "version"),
    "/console/projects/": ("search", "label", "owner", "organisation", "ordering", "page"),
    "/console/projects/PROJECT/draft/": ("below",),
    "/console/projects/PROJECT/draft/file/": ("path",),
    "/console/projects/PROJECT/draft/raw/": ("path",),
    "/console/projects/PROJECT/draft/edit/": ("path",),
    "/console/projects/PROJECT/generations/": ("status", "cursor"),
    "/console/projects/PROJECT/generations/GENERATION/": ("against",),
    "/console/projects/PROJECT/generations/GENERATION/patch/": ("against",),
    "/console/projects/PROJECT/generations/GENERATION/files/": ("below",),
    "/console/projects/PROJECT/generations/GENERATION/file/": ("path",),
    "/console/projects/PROJECT/generations/GENERATION/raw/": ("path",),
    "/console/projects/PROJECT/archives/": ("cursor",),
    "/console/projects/PROJECT/exports/": ("status", "export_type", "cursor", "generated_project"),
    "/console/projects/PROJECT/exports/new/": ("to", "generation"),
    "/console/projects/PROJECT/members/": ("page",),
    "/console/bulk-exports/": ("status", "cursor", "page"),
    "/console/bulk-exports/-/start/": ("again", "project", "label"),
    "/console/schedules/": ("status", "search", "page"),
    "/console/schedules/-/calendar/": ("zone", "view", "at"),
    "/console/schedules/-/new/": ("from",),
    "/console/credentials/": ("page",),
    "/api/v1/projects/PROJECT/diff/": ("old", "new"),
    "/api/v1/projects/PROJECT/files/": ("prefix", "after"),
    "/api/v1/projects/PROJECT/generated/GENERATION/files/": ("path", "file_type"),
    "/api/v1/projects/": ("search", "label", "owner"),
    "/api/v1/exports/": ("status", "export_type", "project"),
    "/api/v1/bulk-exports/": ("status", "search"),
    "/api/v1/export-schedules/": ("status", "search"),
    "/api/v1/downloads/": ("link",),
    "/api/v1/workflows/": ("search", "name"),
    "/api/v1/workflows/executions/RUN/events/": ("after",),
    "/api/v1/workflows/executions/RUN/tasks/": ("step", "status"),
    "/api/v1/workflows/tasks/": ("method", "status", "execution", "project", "cursor"),
}


@pytest.fixture(autouse=True)
def own_folders(settings: Any, tmp_path: Path) -> None:
    settings.GENERATED_PROJECTS_DIR, settings.GIT_STORES_DIR = tmp_path / "generated", tmp_path / "stores"


def test_no_address_is_an_error_of_the_server(ada: User, shop: Project, completed: WorkflowExecution) -> None:
    made = generated(shop, README_md="# Shop\n")
    names = {"RUN": completed.pk, "WORKFLOW": completed.workflow_id, "PROJECT": shop.pk, "GENERATION": made.pk}
    browsing, calling = browser(ada), APIClient()
    calling.force_authenticate(ada)
    browsing.raise_request_exception = calling.raise_request_exception = False
    failed = []
    for page, parameters in PAGES.items():
        for name, value in names.items():
            page = page.replace(name, str(value))
        # One that is there.
        resolve(unquote(page))
        client: Any = calling if page.startswith("/api/") else browsing
        for query in [page, *(f"{page}?{name}={odd}" for name in parameters for odd in ("%00", "a%00b", uuid4()))]:
            answer = client.get(query)
            if answer.status_code >= 500:
                failed.append(query)
    assert failed == []
