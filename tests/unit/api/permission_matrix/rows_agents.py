"""Rows of the audit trail of agents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.unit.api.permission_matrix.table import Row, seeing

OBJECTS: dict[str, Callable[[Any], Any]] = {}

ROWS = [Row("GET", "projects/<uuid:project_id>/agent-actions/", seeing())]
