"""What tests ask about processes."""

from __future__ import annotations

import os


def is_there(pid: int) -> bool:
    """Return whether a process has not ended, or has not been waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
