"""The registry of step types: what a workflow's steps can be, and which tasks each turns into.

Apps register theirs when Django starts; other packages through the entry point group `repomill.step_types`, whose
entries name a StepType. This module holds no step type of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from backend.errors import ConfigurationError, RepomillError, place_of
from backend.strict_json import unfit

ENTRY_POINTS = "repomill.step_types"
DEEPEST = 300
"""How deep what a step type makes may be nested: it puts what others answered, see `strict_json`, into something."""
logger = logging.getLogger(__name__)


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

    def links_of(self, config: dict[str, Any]) -> list[Link]:
        """Return what `links` gives. Raises RepomillError also where that fails, or gives what is not JSON."""
        links: list[Link] = self._asked(self.links, config)
        for link in links:
            self._require_json(link.arguments)
        return links

    def result_of(self, results: Sequence[Any]) -> Any:  # noqa: ANN401  (JSON)
        """Return what `result` gives. Raises RepomillError also where that fails, or gives what is not JSON."""
        made = self._asked(self.result, results)
        if self.result is not last_result:
            self._require_json(made)
        return made

    def _asked(self, part: Callable[[Any], Any], given: Any) -> Any:  # noqa: ANN401
        # It may be another package's. What it raised here would undo the write-back of the step before, whose work
        # would then be repeated at each end of a lease, for ever.
        try:
            return part(given)
        except RepomillError:
            raise
        except Exception as error:
            # No more of it: its text may hold anything.
            logger.error("the step type %s: %s at %s", self.name, type(error).__name__, place_of(error))
            raise RepomillError(
                f"The step type {self.name!r} failed with {type(error).__name__}.",
                hint="The worker's log names the place.",
            ) from error

    def _require_json(self, value: Any) -> None:  # noqa: ANN401
        if wrong := unfit(value, deepest=DEEPEST):
            raise RepomillError(f"What the step type {self.name!r} made cannot be kept: {wrong.reason}.")


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
