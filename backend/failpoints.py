"""Named places at which a crash would hurt most, so that tests can strike exactly there.

A failpoint does nothing unless a hook was installed in this process, and nothing but a test's own code installs one:
no setting and no variable of the environment reaches it. Every boundary of the execution, and the moment after every
outside effect, has one; tests/integration/chaos strikes at each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum


class Failpoint(Enum):
    """A boundary between two things that cannot happen at once."""

    BEFORE_CLAIM = "before the claim"
    AFTER_CLAIM = "after the claim"
    WORKSPACE_WRITTEN = "after the files were written, before they are committed"
    COMMITTED = "after the commit in the git store, before its record"
    SHARED = "after the commit's pack was put into the storage, before its record"
    PACKAGED = "after the archive took its place, before its record"
    CREATED = "after a host made a repository, before it is pushed to"
    PUSHED = "after the push, before its record"
    REQUEST_SERVED = "after the API committed a request, before its answer arrives"
    CALLED = "after the API's answer arrived"
    ANSWERED = "after the service's answer, before the write-back"
    WRITING_BACK = "in the write-back, before it commits"
    WRITTEN_BACK = "after the write-back, before the next link is published"
    BEFORE_PUBLISH = "before a chain is published"
    AFTER_PUBLISH = "after a chain was published"
    HEARTBEAT = "in the heartbeat"
    TAKING_BACK = "in the reconciler, after an expired lease was taken back"
    REPUBLISHING = "in the reconciler, before it sends what was lost"


OF_EVERY_RUN = tuple(point for point in Failpoint if point not in {Failpoint.CREATED, Failpoint.SHARED})
"""Those that any run reaches. CREATED needs a host with an API; the contract of the hosts strikes there. SHARED needs a
storage that several machines exchange their commits through; the tests of those strike there."""

Hook = Callable[[Failpoint], None]
_hook: Hook | None = None


def install(hook: Hook | None) -> None:
    """Have `hook` called at every failpoint of this process; None takes it away again."""
    global _hook
    _hook = hook


def reached(point: Failpoint) -> None:
    """Say that the process has come to this place."""
    if _hook is not None:
        _hook(point)
