"""The page that starts a workflow: its form, what it would do, and the inputs that a user keeps for another time.

The form works without scripts: a field that others depend on has a button beside it that asks again. With them the
fields are asked for again as soon as it changes.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from backend.api.turns import require_turn
from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right
from backend.apps.credentials.selectors import visible_credentials
from backend.apps.projects.selectors import projects_with_right, visible_projects
from backend.apps.workflows.access import get_execution
from backend.apps.workflows.definition_selectors import get_version
from backend.apps.workflows.execution.reading import definition_of
from backend.apps.workflows.forms.answers import Answers, answers_of, read_answers
from backend.apps.workflows.models import WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import start_on_project
from backend.apps.workflows.services.dry_run import dry_run
from backend.apps.workflows.services.saved_inputs import (
    get_saved_inputs,
    remove_saved_inputs,
    save_inputs,
    saved_inputs,
)
from backend.console.pages import action, form_page, is_partial, said, user_of
from backend.console.shown.dry_run import shown_dry_run
from backend.console.shown.form import bound_pages
from backend.errors import InvalidInput, NotFound, PermissionRefused, RateLimited, RepomillError

MOST_PROJECTS = 500
PROJECT_FIELDS = {"project", "input_data.project", "inputs.project"}


@form_page
def start(request: HttpRequest, workflow_id: UUID) -> HttpResponseBase:
    """Show the form, and do with its answers what the button says: start, dry-run, save, or ask again."""
    wanted = request.POST.get("version") or request.GET.get("version", "")
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else None
    version = get_version(user=user_of(request), workflow=workflow_id, number=number)
    form = _Form(request, version)
    if request.method != "POST":
        return form.page(form.first_answers())
    answers = read_answers(form.schema, dict(request.POST.lists()))
    does = {"start": form.start, "dry-run": form.look, "save": form.save}.get(request.POST.get("do", ""), form.again)
    return does(answers)


@action
def remove_saved(request: HttpRequest, saved_id: UUID) -> HttpResponseBase:
    """Forget saved inputs."""
    workflow = remove_saved_inputs(user=user_of(request), saved_id=saved_id)
    messages.success(request, "The saved inputs are removed.")
    return HttpResponseRedirect(reverse("console:workflow-start", args=[workflow.pk]))


class _Form:
    """One showing of the form. The project is asked for beside the inputs, and never twice."""

    def __init__(self, request: HttpRequest, version: WorkflowVersion) -> None:
        self.request = request
        self.version = version
        self.user: User = user_of(request)
        full: dict[str, Any] = version.definition.get("inputs", {})
        # The input `project` is filled in from the project that is chosen.
        rest = {key: part for key, part in full.get("properties", {}).items() if key != "project"}
        required = [key for key in full.get("required", ()) if key != "project"]
        self.schema = {**full, "properties": rest} if "properties" in full else dict(full)
        if "required" in full:
            self.schema["required"] = required
        self.needs_project = "project" in full.get("required", ())
        self.project = request.POST.get("project", request.GET.get("project", ""))
        self.project_error = ""

    def first_answers(self) -> Answers:
        """Return what the form begins with: saved inputs, those of an earlier run, or the defaults."""
        try:
            if saved := self.request.GET.get("saved"):
                kept = get_saved_inputs(user=self.user, saved_id=_uuid(saved, "saved"))
                return answers_of(self.schema, kept.inputs if kept.workflow_id == self.version.workflow_id else {})
            if earlier := self.request.GET.get("again"):
                run = get_execution(user=self.user, execution_id=_uuid(earlier, "run"), whole=True)
                self.project = self.project or (str(run.project_id) if run.project_id else "")
                if run.workflow_id == self.version.workflow_id:
                    return answers_of(self.schema, {k: v for k, v in run.input_data.items() if k != "project"})
        except (NotFound, InvalidInput) as error:
            messages.error(self.request, said(error))
        return answers_of(self.schema, _defaults(self.schema))

    def start(self, answers: Answers) -> HttpResponseBase:
        """Start the run, or show what is wrong."""
        self._require_project()
        if answers.errors or self.project_error:
            return self.page(answers, status=422)
        try:
            run = start_on_project(
                version=self.version, inputs=answers.inputs, user=self.user, project=self.project or None
            )
        except (InvalidInput, NotFound, PermissionRefused) as error:
            return self._refused(answers, error)
        messages.success(self.request, f"{self.version.workflow.name} has been started.")
        return HttpResponseRedirect(_address_of(run))

    def look(self, answers: Answers) -> HttpResponseBase:
        """Show what the run would do, below the form."""
        if answers.errors:
            return self.page(answers, status=422)
        try:
            require_turn(self.user)
            found = dry_run(
                definition=definition_of(self.version.pk),
                inputs=answers.inputs,
                user=self.user,
                project=self.project or None,
            )
        except (InvalidInput, NotFound, PermissionRefused, RateLimited) as error:
            return self._refused(answers, error)
        return self.page(answers, dry=shown_dry_run(found))

    def save(self, answers: Answers) -> HttpResponseBase:
        """Keep the answers as they are, finished or not."""
        try:
            kept = save_inputs(
                user=self.user,
                workflow=self.version.workflow,
                name=self.request.POST.get("save_as", ""),
                inputs=answers.inputs,
                schema=self.schema,
            )
        except RepomillError as error:
            return self._refused(answers, error)
        messages.success(self.request, f"The inputs are saved as “{kept.name}”, without secrets.")
        query = {"saved": str(kept.pk), **({"project": self.project} if self.project else {})}
        address = reverse("console:workflow-start", args=[self.version.workflow_id])
        return HttpResponseRedirect(f"{address}?{'&'.join(f'{key}={value}' for key, value in query.items())}")

    def again(self, answers: Answers) -> HttpResponseBase:
        """Ask for the fields that there are with these answers; nothing is wrong yet."""
        return self.page(Answers(answers.inputs, answers.texts))

    def page(self, answers: Answers, *, status: int = 200, **more: Any) -> HttpResponse:  # noqa: ANN401
        """Return the page; or, where htmx asks, the fields alone."""
        pages = bound_pages(self.schema, answers, credentials=self._credentials())
        wrong = [field for each in pages for field in each.flat if field.errors]
        context = {
            "version": self.version,
            "workflow": self.version.workflow,
            "pages": pages,
            "wrong": wrong,
            "form_errors": answers.errors.get("", []),
            "project": self.project,
            "project_error": self.project_error,
            "needs_project": self.needs_project,
            **more,
        }
        if is_partial(self.request):
            return render(self.request, "console/workflows/fields.html", context)
        context |= {"projects": self._projects(), "saved": saved_inputs(user=self.user, workflow=self.version.workflow)}
        return render(self.request, "console/workflows/start.html", context, status=status)

    def _require_project(self) -> None:
        if self.needs_project and not self.project:
            self.project_error = "Choose the project to work on."

    def _refused(self, answers: Answers, error: RepomillError) -> HttpResponse:
        """Show an error of ours at its field where it has one."""
        place = str(error.place.get("field", ""))
        if place in PROJECT_FIELDS:
            self.project_error = said(error)
        else:
            answers.errors.setdefault("", []).append(said(error))
        return self.page(answers, status=422)

    def _projects(self) -> list[dict[str, str]]:
        """Return the projects in which the user may start work."""
        found = projects_with_right(user=self.user, right=Right.RUN).order_by("name", "id")[:MOST_PROJECTS]
        return [{"id": str(each.pk), "name": each.name, "slug": each.slug} for each in found]

    def _credentials(self) -> list[tuple[str, str]]:
        try:
            shared = [UUID(self.project)] if self.project else []
        except ValueError:
            shared = []
        mine = visible_projects(user=self.user).filter(pk__in=shared).values_list("pk", flat=True)
        found = visible_credentials(user=self.user, project_ids=list(mine))
        return [(each.name, each.host) for each in found]


def _defaults(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return {key: part["default"] for key, part in properties.items() if isinstance(part, dict) and "default" in part}


def _uuid(text: str, field: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"There is no {field} {text[:60]!r}.", field=field) from None


def _address_of(run: WorkflowExecution) -> str:
    return reverse("console:run", args=[run.pk])
