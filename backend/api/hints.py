"""What a hint advises, as whoever reads it can do it: by a call of the API, or by an agent's tool.

The services' hints name commands of `repomill`, which a caller of the API need not have. Here, and only here, each of
those commands has the call that does the same, and the tool where there is one. What only an operator can do is left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

API: Final = "/api/v1/"
CALLS: Final[Mapping[str, str]] = {
    "credentials list": "GET {api}credentials/",
    "credentials add": "POST {api}credentials/",
    "credentials rotate": "POST {api}credentials/CREDENTIAL/rotate/",
    "projects log": "GET {api}projects/PROJECT/generated/",
    "schedules list": "GET {api}export-schedules/",
    "schedules pause": "POST {api}export-schedules/SCHEDULE/pause/",
    "schedules resume": "POST {api}export-schedules/SCHEDULE/resume/",
    "bulk list": "GET {api}bulk-exports/",
    "bulk show": "GET {api}bulk-exports/BULK/",
    "bulk retry": "POST {api}bulk-exports/BULK/retry/",
    "executions": "GET {api}workflows/executions/",
    "run": "POST {api}workflows/executions/",
    "show --follow": "GET {api}workflows/executions/RUN/events/",
    "show": "GET {api}workflows/executions/RUN/tasks/",
    "retry": "POST {api}workflows/executions/RUN/retry/",
    "rerun": "POST {api}workflows/executions/RUN/rerun/",
    "resume": "POST {api}workflows/executions/RUN/resume/",
    "resolve": 'POST {api}workflows/tasks/TASK/resolve/ with {{"outcome": "done"}}, or "retry"',
    "call --list": "GET {api}workflows/methods/",
}
TOOLS: Final[Mapping[str, str]] = {
    **CALLS,
    "run": "start_run",
    "show --follow": "follow_run",
    "show": "read_run",
    "resume": "control_run with resume",
    "rerun": "start_run",
}
OPERATORS: Final = ("credentials rotate-keys", "doctor", "storage put")
"""Commands that no call does: they are for whoever runs the installation, and are left as they are."""

# The longer first. A command ends where its words and arguments do.
_KNOWN = sorted([*CALLS, *OPERATORS], key=len, reverse=True)
_COMMAND = re.compile(
    rf"`?repomill ({'|'.join(map(re.escape, _KNOWN))})(?![\w-])(?: TASK --done, or --retry| -{{0,2}}[^\s;,`.]+)*`?"
)


def as_calls(said: Any, calls: Mapping[str, str] = CALLS) -> Any:  # noqa: ANN401  (JSON)
    """Return text, or JSON with its texts, in which calls stand for commands of `repomill`."""
    if isinstance(said, str):
        return _COMMAND.sub(lambda found: _call(found, calls), said) if "repomill " in said else said
    if isinstance(said, Mapping):
        return {name: as_calls(part, calls) for name, part in said.items()}
    if isinstance(said, list | tuple):
        return [as_calls(part, calls) for part in said]
    return said


def error_as_calls(error: Any, calls: Mapping[str, str] = CALLS) -> Any:  # noqa: ANN401  (JSON)
    """Return an error as it is stored, with what it advises and expects as calls."""
    if not isinstance(error, Mapping):
        return error
    return {name: as_calls(part, calls) if name in {"hint", "expected"} else part for name, part in error.items()}


class StoredError(serializers.JSONField):
    """An error as it was stored, null where there is none; what it advises are calls of the API."""

    def to_representation(self, value: Any) -> Any:  # noqa: ANN401  (JSON)
        """Return the error as it is shown."""
        return error_as_calls(super().to_representation(value))


def _call(found: re.Match[str], calls: Mapping[str, str]) -> str:
    call = calls.get(found[1])
    return found[0] if call is None else call.format(api=API)
