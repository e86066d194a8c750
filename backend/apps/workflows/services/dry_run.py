"""What a workflow would do with given inputs, worked out without doing any of it.

The steps are taken in the order in which an execution takes them, by the same decisions; what a task would do is said
by its method's preview. Nothing is written, sent or opened, and no execution is recorded. What only happens later (an
answer of an API, the id of a commit) is unknown, and so is everything that reads it: it is said and never invented.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from backend.apps.authentication.models import User
from backend.apps.credentials.secret import HIDDEN
from backend.apps.workflows import previews
from backend.apps.workflows.decisions.graph import StepState, decide_next
from backend.apps.workflows.definitions.definition import Definition
from backend.apps.workflows.definitions.secret_inputs import is_secret_input
from backend.apps.workflows.definitions.taken_secrets import take_secrets
from backend.apps.workflows.definitions.unknown import Missing, PartialRendering
from backend.apps.workflows.file_trees import FileTree
from backend.apps.workflows.services.dry_steps import work_out
from backend.apps.workflows.services.dry_values import DryStep, Work
from backend.apps.workflows.services.start import check_inputs
from backend.apps.workflows.services.start_on_project import project_and_inputs
from backend.errors import PermissionRefused, RepomillError

ITEMS = 20
"""Items of a repeated step that are worked out one by one; of the others it is only said how many there are."""
MOST_ITEMS = 200
SECONDS = 20.0
"""How long a dry run may take; steps whose turn has not come by then are unclear."""


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What an execution would do.

    outcome: `completed`, or `failed` with the error it would end with. steps: in the definition's order.
    files: what would be generated against what the project has; None where nothing would be.
    outputs: with an Unknown for each that is not known; missing: the expressions in them that are not.
    warnings: what else a person should know before they start it.
    """

    workflow: str
    project: str | None
    outcome: str
    error: dict[str, Any] | None
    steps: tuple[DryStep, ...]
    files: FileTree | None
    outputs: dict[str, Any]
    missing: tuple[Missing, ...]
    warnings: tuple[str, ...]


def dry_run(
    *,
    definition: Definition,
    inputs: Mapping[str, Any],
    user: User,
    project: UUID | str | None = None,
    items: int = ITEMS,
    clock: Callable[[], float] = time.monotonic,
) -> DryRun:
    """Work out what an execution of the definition would do.

    inputs: as for `start_execution`. Secrets among them are used for nothing, and may be left out.
    project: an id or a slug; see `start_on_project`. items: of a repeated step, at most MOST_ITEMS.
    Raises what `start_on_project` raises: InvalidInput with the field, NotFound, PermissionRefused.
    """
    if not user.is_active:
        raise PermissionRefused("The user is deactivated.")
    definition, taken = take_secrets(definition)
    given = {**dict.fromkeys(taken, HIDDEN), **inputs}
    known, given = project_and_inputs(definition.inputs, inputs=given, user=user, project=project)
    work = Work(
        definition=definition,
        user=user,
        project=known,
        inputs=_without_secrets(definition, given),
        most_items=max(1, min(items, MOST_ITEMS)),
        until=clock() + SECONDS,
        clock=clock,
    )
    error = _all_steps(work) or work.lack
    outputs, missing, error = _outputs(work) if error is None else ({}, (), error)
    return DryRun(
        workflow=definition.name,
        project=known.name if known else None,
        outcome="completed" if error is None else "failed",
        error=error,
        steps=tuple(work.steps[step.id] for step in definition.steps),
        files=previews.draw(work.memory),
        outputs=outputs,
        missing=missing,
        warnings=_warnings(work),
    )


def _without_secrets(definition: Definition, given: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs, checked and complete, with a mark for every secret that there is or would have to be."""
    schema = definition.inputs
    names = {*given, *schema.get("properties", {}), *schema.get("required", ())}
    secrets = {name for name in names if is_secret_input(schema, name)}
    asked = [name for name in schema.get("required", ()) if name in given or name not in secrets]
    relaxed = replace(definition, inputs={**schema, "required": asked} if "required" in schema else schema)
    complete = check_inputs(relaxed, given)
    return {**complete, **dict.fromkeys(secrets, HIDDEN)}


def _all_steps(work: Work) -> dict[str, Any] | None:
    """Work all steps out, and return the error that the execution would end with, if any."""
    definition = work.definition
    while True:
        states = {step.id: _state(work.steps.get(step.id)) for step in definition.steps}
        following = decide_next(definition, states)
        for step_id, reason in following.skip:
            work.put(DryStep.blocked(definition.step(step_id), f"Skipped: {reason}."))
        for step_id in following.start:
            work.put(work_out(work, definition.step(step_id)))
        if following.outcome is not None:
            break
    if following.outcome == "completed":
        return None
    failed = next(step for step in definition.steps if work.steps[step.id].status == "failed")
    return {"step": failed.id, **(work.steps[failed.id].error or {})}


def _state(step: DryStep | None) -> StepState:
    if step is None:
        return StepState("pending")
    # What cannot be worked out is taken to succeed, so that what follows is shown too.
    status = "completed" if step.status == "unclear" else step.status
    return StepState(status, blocked=step.is_blocked)


def _outputs(work: Work) -> tuple[dict[str, Any], tuple[Missing, ...], dict[str, Any] | None]:
    rendering = PartialRendering(work.data)
    try:
        outputs = rendering.render(work.definition.outputs, ("outputs",))
    except RepomillError as error:
        return {}, (), error.as_json()
    return outputs, tuple(rendering.missing), None


def _warnings(work: Work) -> tuple[str, ...]:
    warnings = list(work.warnings)
    if not all(step.condition_known for step in work.steps.values()):
        warnings.append("Steps whose condition is not known yet are shown as if it were true.")
    return tuple(dict.fromkeys(warnings))
