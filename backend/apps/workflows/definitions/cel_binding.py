"""The binding of the expression language (CEL), without the command line that it brings.

That command line is imported with the package, and a terminal toolkit with it: as much time and memory as everything
else of the binding many times over, in every process that evaluates an expression.
"""

from __future__ import annotations

import sys
from types import ModuleType

__all__ = ["cel"]

_COMMAND_LINE = "cel.cli"

if _COMMAND_LINE in sys.modules:
    import cel
else:
    sys.modules[_COMMAND_LINE] = ModuleType(_COMMAND_LINE)
    try:
        import cel
    finally:
        # Whoever wants the command line itself gets it.
        del sys.modules[_COMMAND_LINE]
