"""Every error has an exit code, and a new one inherits its parent's."""

import pytest

from backend.cli.errors import FolderLocked, MigrationHeldUp, PortTaken, ProcessDied, StackNotReady, StackRunning
from backend.cli.exit_codes import exit_code_for
from backend.errors import (
    ConfigurationError,
    Conflict,
    InDoubt,
    InvalidInput,
    NotFound,
    PermissionRefused,
    RateLimited,
    RemoteRefused,
    RemoteUnreachable,
    RepomillError,
    TemporaryFailure,
    TimeLimitExceeded,
    WorkersLost,
)


class InvalidColour(InvalidInput):
    """The colour is not valid."""

    code = "invalid_colour"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RepomillError(), 70),
        (InvalidInput(), 3),
        (InvalidColour(), 3),
        (NotFound(), 4),
        (Conflict(), 5),
        (StackRunning(), 5),
        (FolderLocked(), 5),
        (TemporaryFailure(), 6),
        (RemoteUnreachable(), 6),
        (RateLimited(), 6),
        (PortTaken(), 6),
        (MigrationHeldUp(), 6),
        (StackNotReady(), 6),
        (ConfigurationError(), 7),
        (PermissionRefused(), 8),
        (RemoteRefused(), 9),
        (InDoubt(), 10),
        (TimeLimitExceeded(), 11),
        (ProcessDied(), 1),
        (WorkersLost(), 1),
    ],
)
def test_exit_code(error: RepomillError, code: int) -> None:
    assert exit_code_for(error) == code
