"""The console's pages against the same request without its page drawn: all of it but what a template does.

The other side asks for the same address as the same user; it goes through the same middleware, makes the same queries
and reads all their rows, and stops where the page would be drawn from what the view has found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from django.core.paginator import Page
from django.db.models import QuerySet
from django.template.backends.django import Template
from django.test import Client, override_settings

from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.exports.services.bulk_exports import start_bulk_export
from backend.apps.exports.services.schedules import create_schedule
from backend.apps.projects.models import GeneratedProject
from backend.apps.workflows.execution import chains
from backend.apps.workflows.models import StepExecution, WorkflowExecution
from backend.cli.stack.broker import EmbeddedBroker
from backend.cli.stack.migrate import prepare_database
from benchmarks import noop
from benchmarks.growth import Chains, copy_runs, rest
from benchmarks.measure import Row, in_turn, milliseconds, row, seconds_of
from benchmarks.portfolio import add_projects

MARK = 2.0
RUNS, PROJECTS = 1_000, 200


def measure(folder: Path, *, quick: bool) -> list[Row]:
    """Measure each page in this process, as the operator sees it."""
    assert noop.noop.name == "agents.noop"
    prepare_database()
    with EmbeddedBroker(folder), override_settings(ALLOWED_HOSTS=["testserver"]):
        user = User.objects.get(username="operator")
        client = Client()
        client.force_login(user)
        addresses = _filled(user, few=quick)
        rest()
        return [_row(name, address, client, pairs=3 if quick else 15) for name, address in addresses.items()]


def _filled(user: User, *, few: bool) -> dict[str, str]:
    """Fill the database, and return the pages' addresses by what they show."""
    Chains().once()
    copy_runs(50 if few else RUNS)
    run = WorkflowExecution.objects.earliest("created_at")
    step = StepExecution.objects.get(execution=run)
    project = add_projects(60 if few else PROJECTS, files=20, owner=user)[0]
    generation = GeneratedProject.objects.get(project=project)
    with patch.object(chains, "publish_chain"):
        wish: dict[str, Any] = {"selection": {"kind": "all"}, "export_type": "zip"}
        bulk = start_bulk_export(user=user, name="night", **wish)
        schedule = create_schedule(owner=user, name="nightly", cron="30 2 * * *", export=wish)
    secret = Secret(uuid4().hex)
    credential = add_credential(user=user, name="bot", host="github", secret=secret, base_url="http://127.0.0.1:9")
    return {
        "home": "/",
        "workflows": "/workflows/",
        "a workflow": f"/workflows/{run.version.workflow_id}/",
        "a form to start": f"/workflows/{run.version.workflow_id}/start/",
        "the editor": "/workflows/-/editor/",
        "runs": "/runs/",
        "a run": f"/runs/{run.pk}/",
        "a step": f"/runs/{run.pk}/steps/{step.step_id}/",
        "projects": "/projects/",
        "a project": f"/projects/{project.pk}/",
        "generations": f"/projects/{project.pk}/generations/",
        "a generation": f"/projects/{project.pk}/generations/{generation.pk}/",
        "bulk exports": "/bulk-exports/",
        "a bulk export": f"/bulk-exports/{bulk.pk}/",
        "schedules": "/schedules/",
        "the calendar": "/schedules/-/calendar/",
        "a schedule": f"/schedules/{schedule.pk}/",
        "credentials": "/credentials/",
        "a credential": f"/credentials/{credential.pk}/",
        "the system": "/system/",
    }


def _row(name: str, address: str, client: Client, *, pairs: int) -> Row:
    def read() -> None:
        answer = client.get(f"/console{address}")
        assert answer.status_code == 200, (address, answer.status_code)

    def without() -> float:
        with _undrawn():
            return seconds_of(read)

    figures = in_turn(lambda: seconds_of(read), without, pairs=pairs)
    return row(f"page: {name}", "not drawn", figures, show=milliseconds, better="lower", mark=MARK)


@contextmanager
def _undrawn() -> Iterator[None]:
    """Let no template draw; what it would have read is read."""

    def found(self: Template, context: dict[str, Any] | None = None, request: object = None) -> str:  # noqa: ARG001
        for value in (context or {}).values():
            rows = value.object_list if isinstance(value, Page) else value
            if isinstance(rows, QuerySet):
                len(rows)
        return ""

    with patch.object(Template, "render", found):
        yield
