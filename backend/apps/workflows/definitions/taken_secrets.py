"""Takes literal secrets out of a definition before it is stored: each becomes a secret input of the workflow. Pure.

What is stored says then where a secret is wanted, and is the same whatever the secret is. A definition without
literals is left as it is.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection
from typing import Any

from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.literal_secrets import Place, literals, replaced, require_nowhere_else
from backend.apps.workflows.definitions.definition import Definition, from_data

DESCRIPTION = "A secret that stood literally in the step {step!r}. Better name a credential there."


def take_secrets(definition: Definition) -> tuple[Definition, dict[str, Secret]]:
    """Return the definition without literal secrets, and those by the inputs that they have become.

    Raises InvalidInput, which repeats no secret, for what cannot be one, and where one stands elsewhere in the
    definition too.
    """
    found = {index: places for index, step in enumerate(definition.steps) if (places := literals(step.config))}
    if not found:
        return definition, {}
    data = copy.deepcopy(definition.data)
    inputs = data.setdefault("inputs", {})
    taken: dict[str, Secret] = {}
    whole: dict[Place, Secret] = {}
    for index, places in found.items():
        step = data["steps"][index]
        expressions: dict[Place, str] = {}
        for place, secret in places.items():
            name = _name(step["id"], place, known={*inputs.get("properties", {}), *inputs.get("required", ())})
            _declare(inputs, name, step=step["id"])
            taken[name] = whole["steps", index, "config", *place] = secret
            expressions[place] = f"${{{{ inputs.{name} }}}}"
        step["config"] = replaced(step["config"], expressions)
    require_nowhere_else(data, whole)
    return from_data(data), taken


def _name(step_id: str, place: Place, *, known: Collection[str]) -> str:
    """Return a name for the input: the step, and where in its config."""
    wanted = re.sub(r"[^a-z0-9_]", "_", "_".join((step_id, *map(str, place))).lower())[:100]
    name, number = wanted, 2
    while name in known:
        name, number = f"{wanted}_{number}", number + 1
    return name


def _declare(inputs: dict[str, Any], name: str, *, step: str) -> None:
    if not inputs.get("properties"):
        # Without any properties every input may be read; with the first one that would be over.
        inputs.setdefault("additionalProperties", True)
    properties = inputs.setdefault("properties", {})
    properties[name] = {"type": "string", "writeOnly": True, "description": DESCRIPTION.format(step=step)}
    inputs["required"] = [*inputs.get("required", ()), name]
