"""One run: how it stands as a graph and in time, its log, what went in and came out, and who did what."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.selectors import visible_exports
from backend.apps.projects.generation_selectors import visible_generations
from backend.apps.projects.list_selectors import visible_archives
from backend.apps.workflows import run_selectors
from backend.apps.workflows.access import get_execution, may_control
from backend.apps.workflows.decisions.control import CONTROLS, refusal
from backend.apps.workflows.definitions.definition import Definition, from_data
from backend.apps.workflows.definitions.write_only import shown_inputs
from backend.apps.workflows.models import ExecutionEvent, WorkflowExecution
from backend.apps.workflows.overview_selectors import waits_of
from backend.apps.workflows.selectors import item_counts, standing_word
from backend.console.pages import is_partial, page, user_of
from backend.console.shown import events, graph, timeline
from backend.console.shown.links import archives_beside, deliveries_of
from backend.console.shown.values import pretty

LOG_WINDOW = 200
LONGEST_SEARCH = 200


@page
def run(request: HttpRequest, execution_id: UUID) -> HttpResponseBase:
    """Show a run; to htmx the part of it that changes."""
    user = user_of(request)
    execution = get_execution(user=user, execution_id=execution_id)
    context = _head(user, execution, tab="run") | _board(user, execution)
    if is_partial(request):
        return render(request, "console/runs/board.html", context)
    return render(request, "console/runs/run.html", context | _log(request, execution_id, step=None))


@page
def run_data(request: HttpRequest, execution_id: UUID) -> HttpResponseBase:
    """Show what went in, what the steps have yielded, and what came out."""
    user = user_of(request)
    execution = get_execution(user=user, execution_id=execution_id, whole=True)
    inputs = shown_inputs(execution.input_data, execution.version.definition.get("inputs", {}))
    values = [
        ("inputs", "Inputs", "What it was started with, without what is secret", pretty(inputs)),
        ("outputs", "Outputs", "What the definition makes of the results", pretty(execution.output_data)),
        ("state", "State", "Per step its status, and its result or error", pretty(execution.state)),
    ]
    return render(request, "console/runs/data.html", _head(user, execution, tab="data") | {"values": values})


@page
def run_history(request: HttpRequest, execution_id: UUID) -> HttpResponseBase:
    """Show who did what when."""
    user = user_of(request)
    execution = get_execution(user=user, execution_id=execution_id)
    acts = [
        {"line": events.line_of(event), "who": event.data.get("by") or event.data.get("user", "")}
        for event in run_selectors.acts_of(execution)
    ]
    return render(request, "console/runs/history.html", _head(user, execution, tab="history") | {"acts": acts})


@page
def run_log(request: HttpRequest, execution_id: UUID) -> HttpResponseBase:
    """Show the log on its own: its window before a number, or what has come after one."""
    user = user_of(request)
    execution = get_execution(user=user, execution_id=execution_id)
    # A NUL is in no step's id, and PostgreSQL refuses it.
    step = request.GET.get("step", "").replace("\0", "") or None
    after = _number(request.GET.get("after"))
    if after is not None:
        found = run_selectors.log_after(execution_id, after, step=step, limit=LOG_WINDOW)
        if not found:
            # Nothing is exchanged then, and what listens goes on to listen.
            return HttpResponse(status=204)
        lines = _wanted(found, search=_search(request), problems=_problems(request))
        context = {"lines": lines, "last": found[-1].sequence, "run": execution, "step_id": step or "", "more": True}
        context |= {"search": _search(request), "problems": _problems(request)}
        return render(request, "console/runs/lines.html", context)
    context = _log(request, execution_id, step=step) | {"run": execution}
    if is_partial(request):
        return render(request, "console/runs/log.html", context)
    return render(request, "console/runs/log_page.html", _head(user, execution, tab="log") | context)


def _head(user: User, execution: WorkflowExecution, *, tab: str) -> dict[str, Any]:
    """Return what all pages of a run begin with: its standing, and what may be done with it."""
    standing = standing_word(execution)
    allowed = may_control(user=user, execution=execution)
    began = execution.started_at or execution.created_at
    return {
        "run": execution,
        "standing": standing,
        "tab": tab,
        "took": ((execution.completed_at or timezone.now()) - began).total_seconds(),
        "may_control": allowed,
        "controls": [name for name in CONTROLS if allowed and refusal(name, standing) is None],
    }


def _board(user: User, execution: WorkflowExecution) -> dict[str, Any]:
    now = timezone.now()
    definition = definition_of(execution)
    steps = run_selectors.steps_without_results(execution)
    repeated = [step.id for step in definition.steps if step.each is not None]
    counts = {count.step_id: count for count in item_counts(execution, steps=repeated)} if repeated else {}
    durations = {
        step.step_id: ((step.completed_at or now) - step.started_at).total_seconds()
        for step in steps
        if step.started_at
    }
    tasks = run_selectors.tasks_to_show(execution, without=repeated)
    ends = run_selectors.attempts_of(execution, without=repeated)
    generations = visible_generations(user=user).filter(workflow_execution=execution.pk)
    deliveries = deliveries_of(
        visible_exports(user=user).filter(generated_project__workflow_execution=execution.pk)[:20]
    )
    archives = visible_archives(user=user).filter(generated_project__workflow_execution=execution.pk)
    return {
        "graph": graph.draw(definition, steps, counts, durations=durations),
        "timeline": timeline.draw(execution, steps, tasks, ends, now=now),
        "troubled": [step for step in steps if step.status == "failed" and step.error],
        "generations": list(generations[:20]),
        "deliveries": deliveries,
        "archives": archives_beside(deliveries, archives[:20]),
        "wait": waits_of([execution], now=now).get(execution.pk),
        "steps_done": sum(step.status in {"completed", "skipped"} for step in steps),
        "steps_total": len(steps),
    }


def definition_of(execution: WorkflowExecution) -> Definition:
    """Return the definition of an execution's version."""
    return from_data(execution.version.definition)


def _log(request: HttpRequest, execution_id: UUID, *, step: str | None) -> dict[str, Any]:
    """Return the log's window that the request asks for."""
    search, problems = _search(request), _problems(request)
    narrowed = bool(search or problems)

    def fits(event: ExecutionEvent) -> bool:
        return events.wanted(events.line_of(event), search=search, problems=problems)

    before = _number(request.GET.get("before"))
    found, earlier = run_selectors.log_before(
        execution_id, before, step=step, limit=LOG_WINDOW, wanted=fits if narrowed else None
    )
    return {
        "lines": events.lines_of(found),
        "earlier": found[0].sequence if earlier else None,
        "last": None if before is not None else found[-1].sequence if found else 0,
        "search": search,
        "problems": problems,
        "step_id": step or "",
    }


def _wanted(found: list[ExecutionEvent], *, search: str, problems: bool) -> list[events.Line]:
    return [line for line in events.lines_of(found) if events.wanted(line, search=search, problems=problems)]


def _search(request: HttpRequest) -> str:
    return request.GET.get("q", "").strip()[:LONGEST_SEARCH]


def _problems(request: HttpRequest) -> bool:
    return request.GET.get("problems") == "1"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 9 else None
