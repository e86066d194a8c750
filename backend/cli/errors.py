"""What can go wrong while the embedded stack is brought up."""

from __future__ import annotations

from backend.errors import Conflict, RepomillError, TemporaryFailure


class StackRunning(Conflict):
    """Repomill is already running on this data folder."""

    code = "stack_running"


class FolderLocked(Conflict):
    """Another process works on this folder."""

    code = "folder_locked"


class PortTaken(TemporaryFailure):
    """Another program listens on the port."""

    code = "port_taken"


class ProcessDied(RepomillError):
    """A process of the stack ended by itself, and again when it was started again."""

    code = "process_died"


class StackNotReady(TemporaryFailure):
    """The stack did not become ready in time."""

    code = "stack_not_ready"


class MigrationHeldUp(TemporaryFailure):
    """A migration needs a table that somebody has locked, and gave up so that nobody has to wait behind it."""

    code = "migration_held_up"
