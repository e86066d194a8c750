"""The exit codes of `repomill`, in one place.

| code | meaning |
| ---: | --- |
| 0 | done |
| 1 | the run failed: a step, a process or a check ended badly |
| 2 | the command line is wrong |
| 3 | the input is not valid |
| 4 | there is no such thing |
| 5 | the present state does not allow it; a second `repomill up` too |
| 6 | unavailable now: not running, unreachable, a port taken |
| 7 | a setting is missing or senseless |
| 8 | the user may not do this |
| 9 | another system refused |
| 10 | the outcome is in doubt |
| 11 | a time limit was exceeded |
| 70 | a fault of Repomill itself |
| 130 | interrupted from the keyboard |
"""

from __future__ import annotations

from typing import Final

from backend.errors import RepomillError

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNAVAILABLE: Final = 6
CONFIGURATION: Final = 7
INTERNAL: Final = 70
INTERRUPTED: Final = 130

# By an error's code. An error whose code is not named here has the exit code of its nearest ancestor.
EXIT_CODES: Final[dict[str, int]] = {
    "internal_error": INTERNAL,
    "process_died": FAILED,
    "workers_lost": FAILED,
    "invalid_input": 3,
    "not_found": 4,
    "conflict": 5,
    "temporary_failure": UNAVAILABLE,
    "configuration_error": CONFIGURATION,
    "permission_denied": 8,
    "remote_refused": 9,
    "in_doubt": 10,
    "time_limit_exceeded": 11,
}


def exit_code_for(error: RepomillError) -> int:
    """Return the exit code of an error."""
    for ancestor in type(error).__mro__:
        code = getattr(ancestor, "code", None)
        if code in EXIT_CODES:
            return EXIT_CODES[code]
    return INTERNAL
