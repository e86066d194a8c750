"""What the expressions of a definition can read, and where: known before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

from backend.apps.workflows.definitions.definition import Definition
from backend.apps.workflows.definitions.expressions import ITEM_ROOTS, ROOTS, Expression
from backend.apps.workflows.definitions.rendering import Path, shown
from backend.apps.workflows.errors import InvalidExpression


@dataclass(frozen=True)
class Scope:
    """What an expression can read: the inputs, the steps above, and the item where the step is repeated."""

    definition: Definition
    steps: frozenset[str]
    repeated: bool = False

    @property
    def roots(self) -> tuple[str, ...]:
        """What a reference can begin with."""
        return ROOTS + ITEM_ROOTS if self.repeated else ROOTS

    def names(self, root: str) -> list[str] | None:
        """Return the names below a root; None where the definition does not say which there are."""
        if root == "steps":
            return sorted(self.steps)
        if root == "run":
            return ["id", "project", "project_name", "user"]
        if root in ITEM_ROOTS:
            return None if root == "item" else []
        inputs = self.definition.inputs
        properties = inputs.get("properties", {})
        return sorted(properties) if properties and not inputs.get("additionalProperties") else None


def check_references(expression: Expression, scope: Scope, path: Path) -> None:
    """Raise InvalidExpression, with path and column, for a reference to what cannot be read there."""
    for reference in expression.references:
        root, *rest = reference.parts
        hint = None
        if root not in scope.roots:
            expected = ", ".join(scope.roots)
            hint = f"{root} can be read in the config of a step with `each`, and nowhere else."
        else:
            allowed = scope.names(str(root))
            if not rest or allowed is None or rest[0] in allowed:
                continue
            # Some of them: a workflow can have a thousand steps.
            expected = ", ".join(f"{root}.{name}" for name in allowed[:20]) or f"nothing of {root} can be read here"
            hint = "A step can read the results of the steps it depends on." if root == "steps" else None
        raise InvalidExpression(
            f"In the expression {expression.text!r}, column {reference.column}: unknown reference {str(reference)!r}.",
            path=shown(path),
            column=reference.column,
            expected=expected,
            hint=hint,
        )
