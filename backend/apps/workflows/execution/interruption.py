"""How work under way is stopped from outside: what that looks like to those who do it.

This module does not know how a process is reached; `workers.interruption` does.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol


class Interrupted(KeyboardInterrupt):
    """The work is to stop now.

    Not an Exception: a service that catches those in order to go on would go on. Whatever has to be tidied up belongs
    into `finally` or a context manager. It is to libraries what Ctrl-C is, because that is what they are ready for at
    any moment: an event loop lets it out of its callbacks, a database driver ends its query.
    """


class WorkerStops(Interrupted):
    """The work is to stop because its worker does; another worker is to begin it anew."""


class Interruption(Protocol):
    """A context that work is done in, and that `interrupt` stops by raising Interrupted there."""

    def __enter__(self) -> object:
        """Begin: from here on the work can be interrupted."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End: Interrupted is never raised after this, not even by an `interrupt` that was called before."""
        ...

    def interrupt(self) -> None:
        """Raise Interrupted where the work is done; called from another thread. Does nothing outside the context."""
        ...


class Uninterruptible:
    """For work in a process that cannot be interrupted: what was asked for is noticed when the work has ended."""

    def __enter__(self) -> Uninterruptible:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return

    def interrupt(self) -> None:
        """Do nothing."""
