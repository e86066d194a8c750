"""The registry of step types: what a workflow's steps can be, and which tasks each turns into.

Apps register theirs when Django starts; other packages through the entry point group `repomill.step_types`, whose
entries name a StepType. This module holds no step type of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from backend.errors import ConfigurationError

ENTRY_POINTS = "repomill.step_types"


@dataclass(frozen=True)
class Link:
    """One task of a step's chain: the method it calls and with what."""

    method: str
    arguments: dict[str, Any] = field(default_factory=dict)


def last_result(results: Sequence[Any]) -> Any:  # noqa: ANN401  (JSON)
    """Return the result of a chain's last link: the usual result of a step."""
    return results[-1]


@dataclass(frozen=True)
class StepType:
    """A kind of step.

    name: as it stands in definitions.
    config_schema: JSON Schema of the step's config once its expressions are filled in.
    links: turns such a config into the chain of tasks, at least one. Raises InvalidInput where the schema cannot say
        what is wrong. It must give the same chain for the same config.
    result: turns the links' results into what later steps read.
    generates: whether it can fill a generation of the execution's project.
    former_names: what it was called before; stored definitions and executions that say so still work.
    """

    name: str
    config_schema: Mapping[str, Any]
    links: Callable[[dict[str, Any]], list[Link]]
    result: Callable[[Sequence[Any]], Any] = last_result
    generates: bool = False
    former_names: tuple[str, ...] = ()


_registered: dict[str, StepType] = {}
_renamed: dict[str, StepType] = {}


def register(step_type: StepType) -> StepType:
    """Make a step type known. Raises ConfigurationError when another one has its name."""
    for name in (step_type.name, *step_type.former_names):
        if (get(name) or step_type) is not step_type:
            raise ConfigurationError(f"Two step types are called {name!r}.", field=name)
    _registered[step_type.name] = step_type
    _renamed.update(dict.fromkeys(step_type.former_names, step_type))
    return step_type


def register_installed() -> None:
    """Register the step types that installed packages offer."""
    for entry in entry_points(group=ENTRY_POINTS):
        register(entry.load())


def get(name: str) -> StepType | None:
    """Return the step type of that name, or that had it once; None where there is none."""
    return _registered.get(name) or _renamed.get(name)


def names() -> list[str]:
    """Return the present names of all step types, sorted."""
    return sorted(_registered)
