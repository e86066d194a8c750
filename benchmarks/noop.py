"""A step type of three links that do nothing, for Repomill's side; loaded by the measuring process and its worker."""

from __future__ import annotations

from backend.apps.workflows.step_types import Link, StepType, register
from workers.call import TaskCall
from workers.service_task import service_task

register(
    StepType("three_noops", {"type": "object"}, lambda _: [Link("agents.noop", {"link": link}) for link in range(3)])
)


@service_task("agents.noop")
def noop(_call: TaskCall, *, link: int) -> int:
    """Do nothing."""
    return link
