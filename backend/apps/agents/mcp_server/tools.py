"""The tools that an agent is given, and one call of one of them.

Each tool is a line of a table: its name, what a model reads of it, the JSON Schema of its arguments, and the method of
AgentContext that does it. Who may do what, and the audit trail, are that one's. Nothing here knows the protocol.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backend.api.hints import TOOLS, error_as_calls
from backend.apps.agents.services.agent_context import AgentContext
from backend.apps.workflows.definitions.schema import check
from backend.errors import InvalidInput, RepomillError

logger = logging.getLogger(__name__)

LONGEST_WAIT = 25
"""Seconds that a tool may be asked to wait: below what proxies and clients wait for an answer."""

Arguments = dict[str, Any]
Work = Callable[[AgentContext, Arguments], Any]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool.

    properties, required: of its arguments' JSON Schema. reads: whether it changes nothing. repeatable: whether calling
    it twice is as calling it once.
    again: where the tool can wait, how it looks once more, without a row of its own in the trail; it is done when
    `settled` says so of what was seen, or its `wait_seconds` are over.
    """

    name: str
    description: str
    properties: dict[str, Any]
    work: Work
    required: tuple[str, ...] = ()
    reads: bool = False
    repeatable: bool = False
    again: Work | None = None
    settled: Callable[[Any], bool] = bool

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        return {
            "type": "object",
            "properties": self.properties,
            "required": list(self.required),
            "additionalProperties": False,
        }

    def checked(self, arguments: Arguments | None) -> Arguments:
        """Return the arguments. Raises InvalidInput that names the one that does not fit."""
        given = arguments or {}
        if misfit := check(given, self.input_schema):
            field = ".".join(str(part) for part in misfit.path) or None
            raise InvalidInput(misfit.sentence, field=field, expected=misfit.expected)
        return given


def told(error: Exception, *, tool: str) -> dict[str, Any]:
    """Return an error as a model is told of it: code, message, hint and place; of a fault only that it is one."""
    if isinstance(error, RepomillError):
        said: dict[str, Any] = error_as_calls(error.as_json(), TOOLS)
        return said
    logger.error("the tool %s failed", tool, exc_info=error)
    return RepomillError(hint="Tell an operator; the server's log says more.").as_json()
