"""Errors of workflow definitions."""

from __future__ import annotations

from backend.errors import InvalidInput


class InvalidDefinition(InvalidInput):
    """The workflow definition is not valid."""

    code = "invalid_definition"


class InvalidExpression(InvalidDefinition):
    """The expression is not valid."""

    code = "invalid_expression"
