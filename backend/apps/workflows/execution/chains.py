"""Makes the tasks of a step that starts: one chain, or with `each` one for every item of its list.

Everything is filled in and checked before the first row is made, so a mistake in the last item starts nothing.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction
from django.utils import timezone

from backend.apps.credentials.services.sealing import seal_tokens
from backend.apps.workflows import step_types
from backend.apps.workflows.decisions.items import require_items
from backend.apps.workflows.definitions.definition import Step
from backend.apps.workflows.definitions.rendering import render
from backend.apps.workflows.definitions.schema import check
from backend.apps.workflows.execution.statements import insert
from backend.apps.workflows.former_names import current_name
from backend.apps.workflows.models import StepExecution, TaskExecution, WorkflowExecution
from backend.apps.workflows.publishing import publish_chain, sending
from backend.errors import InvalidInput

LARGEST_ITEMS = 64 * 1024 * 1024
"""Characters that the arguments of all items of one step may have together, as JSON."""

Chain = list[TaskExecution]


def chains_of(
    execution: WorkflowExecution, step: Step, row: StepExecution, data: dict[str, Any], *, label: str
) -> list[Chain]:
    """Return the tasks of a step, not yet saved: one chain, or with `each` one per item, and none for an empty list.

    data: what the step's expressions can read. label: what operators know the execution by.
    Raises InvalidInput for a config that does not fit the step's type.
    """
    if step.each is None:
        return [_chain(execution, step, row, data, label=label)]
    chains: list[Chain] = []
    total = 0
    for index, item in enumerate(_items(step, data)):
        chain = _chain(execution, step, row, {**data, "item": item, "item_index": index}, label=label, item=index)
        total += sum(len(json.dumps(task.arguments)) for task in chain)
        if total > LARGEST_ITEMS:
            raise InvalidInput(
                f"What the items of the step {step.id!r} work on is larger than {LARGEST_ITEMS // 1024 // 1024} MiB.",
                path=f"steps.{step.id}.each",
                item=index,
                hint="Repeat the step for fewer items, or write less into each.",
            )
        chains.append(chain)
    return chains


def save_and_send(chains: list[Chain], *, at_once: int) -> None:
    """Insert the tasks, and send the first `at_once` chains after the commit; the others wait for their turn."""
    for chain in chains[at_once:]:
        chain[0].ready, chain[0].published_at, chain[0].next_publish_at = False, None, None
    insert(task for chain in chains for task in chain)
    for chain in chains[:at_once]:
        send(chain)


def send(chain: Chain) -> None:
    """Send a chain after the commit. What the broker does not take, the reconciler sends as soon as it does again."""
    transaction.on_commit(lambda: _send(chain))


def _send(chain: Chain) -> None:
    if not publish_chain(chain):
        refused = TaskExecution.objects.filter(pk=chain[0].pk, status=TaskExecution.Status.PENDING)
        refused.update(published_at=None, next_publish_at=timezone.now())


def rest_of_chain(task: TaskExecution) -> Chain:
    """Return a task and what follows it in its chain."""
    if task.step_id is None:
        return [task]
    links = TaskExecution.objects.filter(step_id=task.step_id, item=task.item, position__gte=task.position)
    return list(links.order_by("position"))


def _items(step: Step, data: dict[str, Any]) -> list[Any]:
    value = render(step.each, data, ("steps", step.id, "each"))
    return require_items(value, each=str(step.each), path=f"steps.{step.id}.each")


def _chain(
    execution: WorkflowExecution,
    step: Step,
    row: StepExecution,
    data: dict[str, Any],
    *,
    label: str,
    item: int | None = None,
) -> Chain:
    """Return one chain. The keys of a step without `each` have no item in them."""
    try:
        config = render(step.config, data, ("steps", step.id, "config"))
        # A secret that came as a result, or among the items of a list: the tasks' rows do not hold it either.
        links = _links(step, seal_tokens(config, execution_id=execution.pk))
    except InvalidInput as error:
        if item is not None:
            error.place["item"] = item
            error.message = f"Item {item}: {error.message}"
        raise
    now = timezone.now()
    which = f"{step.id}" if item is None else f"{step.id}[{item}]"
    prefix = f"{execution.pk}/{step.id}" if item is None else f"{execution.pk}/{step.id}/{item}"
    return [
        TaskExecution(
            key=f"{prefix}/{position}",
            execution=execution,
            step=row,
            item=item or 0,
            position=position,
            user_id=execution.user_id,
            project_id=execution.project_id,
            grant=execution.grant,
            method=current_name(link.method),
            arguments=link.arguments,
            description=f"{label} · {which} · {current_name(link.method)}"[:300],
            max_retries=step.max_retries,
            timeout_seconds=step.timeout_seconds,
            ready=position == 0,
            **(sending(now) if position == 0 else {}),
        )
        for position, link in enumerate(links)
    ]


def _links(step: Step, config: Any) -> list[step_types.Link]:  # noqa: ANN401  (JSON)
    step_type = step_types.get(step.type)
    if step_type is None:
        raise InvalidInput(
            f"The step type {step.type!r} is not installed here.",
            path=f"steps.{step.id}.type",
            expected="one of " + ", ".join(step_types.names()),
        )
    if misfit := check(config, step_type.config_schema):
        path = ".".join(str(part) for part in ("steps", step.id, "config", *misfit.path))
        raise InvalidInput(misfit.sentence, path=path, expected=misfit.expected)
    return step_type.links_of(config)
