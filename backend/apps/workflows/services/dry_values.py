"""What a dry run knows while it is worked out, and what it says of each step. Values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from backend.apps.authentication.models import User
from backend.apps.authentication.project_access import KnownProject
from backend.apps.workflows.definitions.definition import Definition, Step
from backend.apps.workflows.definitions.unknown import Missing, Unknown
from backend.apps.workflows.previews import Effect
from backend.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class DryStep:
    """What would become of one step.

    status: completed, skipped, failed, or unclear where it cannot be worked out; why: the reason of the last three.
    condition: as it is written, an Unknown where it is not known whether it holds; None without one.
    items: how many times a repeated step would be done, None where that is not known; shown_items: of how many of them
    the effects are here. missing: expressions in it whose values are not known.
    """

    id: str
    name: str
    type: str
    status: str
    why: str | None = None
    error: dict[str, Any] | None = None
    condition: str | None = None
    repeated: bool = False
    items: int | None = None
    shown_items: int | None = None
    effects: tuple[Effect, ...] = ()
    missing: tuple[Missing, ...] = ()
    is_blocked: bool = False
    result: Any = None

    @property
    def condition_known(self) -> bool:
        """Whether it is known whether the step would be done at all."""
        return not isinstance(self.condition, Unknown)

    @classmethod
    def of(cls, step: Step, *, status: str, **more: Any) -> Self:  # noqa: ANN401  (fields)
        """Return what becomes of a definition's step."""
        return cls(
            id=step.id,
            name=step.name,
            type=step.type,
            status=status,
            repeated=step.each is not None,
            **{"condition": step.condition, **more},
        )

    @classmethod
    def blocked(cls, step: Step, why: str) -> Self:
        """Return a step that would be skipped because of another one."""
        return cls.of(step, status="skipped", why=why, is_blocked=True)


@dataclass(kw_only=True)
class Work:
    """A dry run that is being worked out. until: when it is to end, by `clock`. steps: those that are worked out."""

    definition: Definition
    user: User
    project: KnownProject | None
    inputs: dict[str, Any]
    most_items: int
    until: float
    clock: Callable[[], float]
    steps: dict[str, DryStep] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    lack: dict[str, Any] | None = None
    """The error that the execution would end with for want of a project."""

    @property
    def data(self) -> dict[str, Any]:
        """What expressions can read, as `execution.advance` gives it to them."""
        run = {
            "id": Unknown.of("run.id"),
            "project": str(self.project.id) if self.project else None,
            "project_name": self.project.name if self.project else "",
            "user": self.user.get_username(),
        }
        return {"inputs": self.inputs, "steps": self.state, "run": run}

    def put(self, step: DryStep) -> None:
        """Take a step that is worked out, and what later steps read of it."""
        self.steps[step.id] = step
        if step.status in {"completed", "unclear"}:
            self.state[step.id] = {"status": "completed", "result": step.result}
        else:
            self.state[step.id] = {"status": step.status, "error": step.error}

    def miss_project(self, step: Step) -> None:
        """Note that a step needs a project and has none. It is worked out all the same, so that its files are seen."""
        told = f"No project is given: the step {step.id!r} needs one and would fail without."
        if step.continue_on_error:
            self.warnings.append(told)
        elif self.lack is None:
            lack = InvalidInput(told, field="project", hint="Give the project to work on.")
            self.lack = {"step": step.id, **lack.as_json()}
