"""Workflows as an agent uses them: which there are, starting a run, looking at it, controlling it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Subquery

from backend.api.idempotency_keys import check_key, claim_key, require_same
from backend.apps.agents.models import AgentAction
from backend.apps.agents.services.acting import Acting
from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import project_by_slug_or_id
from backend.apps.workflows.access import get_execution
from backend.apps.workflows.definition_selectors import get_version, visible_workflows
from backend.apps.workflows.dry_run_json import dry_run_as_json
from backend.apps.workflows.execution.reading import definition_of
from backend.apps.workflows.execution_selectors import events_page
from backend.apps.workflows.models import WorkflowExecution, WorkflowVersion
from backend.apps.workflows.selectors import standing_word, steps_of
from backend.apps.workflows.services import cancel_execution, pause_execution, resume_execution, start_execution
from backend.apps.workflows.services.dry_run import ITEMS, dry_run
from backend.errors import InvalidInput, NotFound, PermissionRefused

MOST_WORKFLOWS = 200
MOST_EVENTS = 200
"""Events that one look gives; `next` says where the following look begins."""
ENDED = frozenset({"completed", "failed", "cancelled"})
CONTROLS = {"pause": pause_execution, "resume": resume_execution, "cancel": cancel_execution}


@dataclass(frozen=True)
class AgentRuns:
    """Workflows and their runs. Each method is one action in the audit trail."""

    acting: Acting

    def workflows(self) -> list[dict[str, Any]]:
        """Return each workflow with its newest version's number, description, and the JSON Schema of its inputs."""
        with self.acting.anywhere("workflows.list", Right.SEE):
            found = visible_workflows(user=self.acting.user).order_by("name", "pk")[:MOST_WORKFLOWS]
            numbers = WorkflowVersion.objects.filter(workflow=OuterRef("workflow")).order_by("-number").values("number")
            newest = (
                WorkflowVersion.objects.filter(workflow__in=list(found), number=Subquery(numbers[:1]))
                .select_related("workflow")
                .order_by("workflow__name", "workflow")
            )
            versions = list(newest)
        return [_described(version) for version in versions]

    def start(
        self, workflow: str, inputs: dict[str, Any], *, version: int | None = None, key: str | None = None
    ) -> dict[str, Any]:
        """Start a run of a workflow, on the agent's project where it has one, and return it.

        version: its number; default the newest. key: the same key with the same request starts one run, for 24 hours.
        Raises NotFound for the workflow or project, InvalidInput for inputs that do not fit, PermissionRefused,
        IdempotencyKeyReused.
        """
        user = self.acting.user
        with self.acting.anywhere("runs.start", Right.RUN, workflow=workflow, version=version, key=key) as row:
            wanted = self._version(workflow, inputs, version)
            project, complete = _on_project(self.acting, wanted, inputs)
            self._note_project(row, project)

            def begin() -> dict[str, Any]:
                run = start_execution(
                    version=wanted,
                    inputs=complete,
                    user=user,
                    project_id=project.pk if project else None,
                    project_name=project.slug if project else "",
                )
                return {"run": str(run.pk), "status": run.status, "workflow": workflow, "version": wanted.number}

            if key is None:
                return begin()
            said = [workflow, wanted.number, str(project.pk) if project else None, inputs]
            return _once(user, key, said=said, begin=begin)

    def dry_run(
        self,
        workflow: str,
        inputs: dict[str, Any],
        *,
        version: int | None = None,
        items: int = ITEMS,
        contents: bool = False,
    ) -> dict[str, Any]:
        """Return what a run of a workflow would do. Nothing is done, and nothing but this question is recorded.

        version: its number; default the newest. items: of a step with `each`, how many are worked out one by one.
        contents: also what the files would hold, and how that differs. Raises as `start` does.
        """
        user = self.acting.user
        with self.acting.anywhere("runs.dry_run", Right.RUN, workflow=workflow, version=version) as row:
            wanted = self._version(workflow, inputs, version)
            project, complete = _on_project(self.acting, wanted, inputs)
            self._note_project(row, project)
            found = dry_run_as_json(
                dry_run(
                    definition=definition_of(wanted.pk),
                    inputs=complete,
                    user=user,
                    project=project.pk if project else None,
                    items=items,
                )
            )
        if not contents and found["files"]:
            found["files"]["files"] = [
                {name: value for name, value in each.items() if name not in {"content", "diff"}}
                for each in found["files"]["files"]
            ]
        return found

    def _version(self, workflow: str, inputs: dict[str, Any], number: int | None) -> WorkflowVersion:
        where = self.acting.project or inputs.get("project")
        return get_version(user=self.acting.user, workflow=workflow, number=number, project=where and str(where))

    def _note_project(self, row: AgentAction, project: Project | None) -> None:
        """Say in the trail which project it is. Raises PermissionRefused for none, where the token is for one alone."""
        grant = self.acting.user.grant
        if project is not None:
            self.acting.belongs_to(row, project.pk, project.slug)
        elif grant is not None and grant.project_id is not None:
            raise PermissionRefused("The token is for one project alone.", field="project", hint="Name the project.")

    def look(self, run: UUID | str, *, after: int = 0, noted: bool = True) -> dict[str, Any]:
        """Return where a run stands: its status, each step's, its outputs or error, and the events after a number.

        after: the number of the last event that was seen; `next` in the answer is what to give the next time.
        noted: False where it is looked at again and again; the first look is the one in the trail.
        """
        if not noted:
            return _standing(self._found(run), after=after)
        with self.acting.anywhere("runs.look", Right.SEE, run=str(run)[:40]) as row:
            execution = self._found(run)
            self.acting.belongs_to(row, execution.project_id, execution.project_name)
            return _standing(execution, after=after)

    def result(self, run: UUID | str, step: str) -> dict[str, Any]:
        """Return one step's status, and its result or error. Raises NotFound for the run or the step."""
        with self.acting.anywhere("runs.result", Right.SEE, run=str(run)[:40], step=step) as row:
            execution = self._found(run)
            self.acting.belongs_to(row, execution.project_id, execution.project_name)
            steps = {each.step_id: each for each in steps_of(execution, results=False)}
            if step not in steps:
                raise NotFound(f"The run has no step {step[:100]!r}.", field="step", expected=list(steps))
            found = steps[step]
        return {"step": step, "status": found.status, "result": found.result, "error": found.error}

    def control(self, run: UUID | str, action: str) -> dict[str, Any]:
        """Pause, resume or cancel a run. Raises Conflict where it does not stand so, PermissionRefused, NotFound."""
        if action not in CONTROLS:
            raise InvalidInput(f"There is no {action[:20]!r}.", field="action", expected=sorted(CONTROLS))
        with self.acting.anywhere(f"runs.{action}", Right.RUN, run=str(run)[:40]) as row:
            execution = self._found(run, control=True)
            self.acting.belongs_to(row, execution.project_id, execution.project_name)
            changed = CONTROLS[action](execution_id=execution.pk, user=self.acting.user)
        return {"run": str(changed.pk), "status": standing_word(changed)}

    def _found(self, run: UUID | str, *, control: bool = False) -> WorkflowExecution:
        try:
            identifier = run if isinstance(run, UUID) else UUID(run)
        except ValueError:
            raise NotFound(f"There is no run {str(run)[:60]!r}.", field="run") from None
        return get_execution(user=self.acting.user, execution_id=identifier, control=control)


def _described(version: WorkflowVersion) -> dict[str, Any]:
    definition = version.definition
    return {
        "workflow": version.workflow.name,
        "version": version.number,
        "description": definition.get("description", ""),
        "inputs": definition.get("inputs", {}),
        "steps": [step.get("id") for step in definition.get("steps", [])],
    }


def _on_project(
    acting: Acting, version: WorkflowVersion, inputs: dict[str, Any]
) -> tuple[Project | None, dict[str, Any]]:
    """Return the project to work on, and the inputs with its id where the workflow asks for it as `project`."""
    asks = "project" in version.definition.get("inputs", {}).get("properties", {})
    reference = acting.project or (inputs.get("project") if asks else None)
    if not reference:
        return None, inputs
    project = project_by_slug_or_id(user=acting.user, reference=str(reference), right=Right.RUN)
    return project, {**inputs, "project": str(project.pk)} if asks else inputs


def _once(user: User, key: str, *, said: list[Any], begin: Any) -> dict[str, Any]:  # noqa: ANN401  (a function)
    digest = hashlib.sha256(json.dumps(["agent-run", said], sort_keys=True, default=str).encode()).hexdigest()
    with transaction.atomic():
        row, first = claim_key(user_id=user.pk, key=check_key(key, field="key"), request_print=digest)
        if not first:
            require_same(row, request_print=digest, field="key")
            return {**json.loads(row.body or "{}"), "replayed": True}
        started: dict[str, Any] = begin()
        row.body, row.status_code = json.dumps(started), 201
        row.save(update_fields=["body", "status_code"])
        return started


def _standing(execution: WorkflowExecution, *, after: int) -> dict[str, Any]:
    events, more = events_page(execution_id=execution.pk, after=after, limit=MOST_EVENTS)
    status = standing_word(execution)
    return {
        "run": str(execution.pk),
        "workflow": execution.workflow.name,
        "project": execution.project_name or None,
        "status": status,
        # Whoever follows stops here, and has to have seen all events by then.
        "ended": status in ENDED and not more,
        "steps": [
            {"id": step.step_id, "status": step.status, "error": step.error}
            for step in steps_of(execution, results=False)
        ],
        "outputs": execution.output_data,
        "error": execution.error,
        "events": [
            {"number": each.sequence, "kind": each.kind, "step": each.step_id or None, **_data(each.data)}
            for each in events
        ],
        "next": events[-1].sequence if events else after,
    }


def _data(data: dict[str, Any]) -> dict[str, Any]:
    return {"data": data} if data else {}
