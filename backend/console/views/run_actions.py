"""What can be done to a run, each by a button. Whether it may be done is asked as the REST API asks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from rest_framework.request import Request

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right
from backend.apps.exports.archive_responses import archive_response
from backend.apps.exports.selectors import get_export
from backend.apps.exports.services.downloads import archive_of
from backend.apps.projects.list_selectors import get_archive
from backend.apps.workflows import services
from backend.apps.workflows.access import find_project, get_execution, get_task
from backend.apps.workflows.definitions.write_only import shown_inputs
from backend.apps.workflows.models import WorkflowExecution
from backend.console.pages import action, attachment, back_of, form_page, user_of
from backend.console.shown.values import whole
from backend.errors import InvalidInput, RepomillError
from backend.strict_json import NotJSON, read_json

Control = Callable[..., WorkflowExecution]
OUTCOMES: dict[str, Literal["done", "retry"]] = {"done": "done", "retry": "retry"}


@action
def pause(request: HttpRequest, execution_id: UUID) -> HttpResponseBase:
    """Let nothing more of it begin."""
    return _done(
        request, execution_id, services.pause_execution, "Paused. What runs is let finish; nothing new begins."
    )


@action
def resume(request: HttpRequest, execution_id: UUID) -> HttpResponseBase:
    """Let it go on, where it was paused or where it failed."""
    return _done(request, execution_id, services.resume_execution, "It goes on. All earlier results are kept.")


@action
def cancel(request: HttpRequest, execution_id: UUID) -> HttpResponseBase:
    """Cancel it."""
    return _done(request, execution_id, services.cancel_execution, "It is being cancelled; what runs stops in seconds.")


@action
def cancel_step(request: HttpRequest, execution_id: UUID, step_id: str) -> HttpResponseBase:
    """Cancel one step."""
    return _done(request, execution_id, services.cancel_step, "The step is being cancelled.", step_id=step_id)


@action
def retry_step(request: HttpRequest, execution_id: UUID, step_id: str) -> HttpResponseBase:
    """Do a step again."""
    return _done(request, execution_id, services.retry_step, "The step is done again.", step_id=step_id)


@action
def settle(request: HttpRequest, task_id: UUID) -> HttpResponseBase:
    """Say what became of a task in doubt."""
    user = user_of(request)
    get_task(user=user, task_id=task_id, control=True)
    outcome = OUTCOMES.get(request.POST.get("outcome", ""))
    if outcome is None:
        raise InvalidInput("Say whether it was done.", field="outcome", expected="done or retry")
    services.resolve_task(task_id=task_id, user=user, outcome=outcome)
    messages.success(request, "Settled; the run goes on.")
    return HttpResponseRedirect(back_of(request))


@form_page
def rerun(request: HttpRequest, execution_id: UUID) -> HttpResponseBase:
    """Start it once more, with other inputs where they are given."""
    user = user_of(request)
    old = get_execution(user=user, execution_id=execution_id, control=True, whole=True)
    inputs = shown_inputs(old.input_data, old.version.definition.get("inputs", {}))
    text, error = whole(inputs), None
    if request.method == "POST":
        text = request.POST.get("inputs", "")
        try:
            new = _start_again(user, old, before=inputs, given=_given(text))
        except RepomillError as wrong:
            error = wrong
        else:
            messages.success(request, "Started again.")
            return HttpResponseRedirect(reverse("console:run", args=[new.pk]))
    context = {"run": old, "text": text, "error": error}
    return render(request, "console/runs/rerun.html", context, status=200 if error is None else 400)


@attachment
def download(request: HttpRequest, export_id: UUID) -> HttpResponseBase:
    """Send the archive of a delivery."""
    export = get_export(user=user_of(request), export_id=export_id)
    return archive_response(Request(request), archive=archive_of(export))


@attachment
def download_archive(request: HttpRequest, archive_id: UUID) -> HttpResponseBase:
    """Send an archive, whether it was exported or made on the way to a repository."""
    return archive_response(Request(request), archive=get_archive(user=user_of(request), archive_id=archive_id))


def _done(
    request: HttpRequest,
    execution_id: UUID,
    control: Control,
    words: str,
    **more: Any,  # noqa: ANN401  (the control's own arguments)
) -> HttpResponseBase:
    user = user_of(request)
    get_execution(user=user, execution_id=execution_id, control=True)
    control(execution_id=execution_id, user=user, **more)
    messages.success(request, words)
    return HttpResponseRedirect(back_of(request, reverse("console:run", args=[execution_id])))


def _given(text: str) -> dict[str, Any]:
    """Return the inputs that were written down. Raises InvalidInput for what is no JSON object."""
    try:
        given = read_json(text)
    except NotJSON as error:
        raise InvalidInput("The inputs are not JSON.", field="inputs", hint=str(error)[:200]) from error
    if not isinstance(given, dict):
        raise InvalidInput("The inputs are no JSON object.", field="inputs", expected='such as {"name": "shop"}')
    return given


def _json(value: Any) -> str:  # noqa: ANN401  (JSON)
    """Return a value so that it can be compared: to Python 1 and true are equal."""
    return json.dumps(value, sort_keys=True)


def _start_again(
    user: User, old: WorkflowExecution, *, before: dict[str, Any], given: dict[str, Any]
) -> WorkflowExecution:
    changed = {name: part for name, part in given.items() if name not in before or _json(part) != _json(before[name])}
    without = before.keys() - given.keys()
    if old.project_id is not None:
        find_project(user=user, reference=str(old.project_id), right=Right.RUN)
        if "project" in changed and changed["project"] != str(old.project_id):
            raise InvalidInput("A rerun works on the same project.", field="project")
        without -= {"project"}
    return services.rerun_execution(execution_id=old.pk, user=user, inputs=changed, without=without)
