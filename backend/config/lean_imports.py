"""Imports a package without an optional part of it, or without another package that it uses where it finds it."""

from __future__ import annotations

import sys
from importlib import import_module


def import_without(name: str, *, absent: str) -> None:
    """Import a package as if a module that it can do without were not there; whoever asks for that later gets it."""
    if absent in sys.modules:
        import_module(name)
        return
    # This is how Python itself marks a module that must not be found.
    sys.modules[absent] = None  # type: ignore[assignment]
    try:
        import_module(name)
    finally:
        del sys.modules[absent]
