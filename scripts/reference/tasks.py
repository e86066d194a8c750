"""The pages of tasks and of step types, from the two registries."""

from __future__ import annotations

from typing import Any

from backend.apps.workflows import step_types
from backend.apps.workflows.former_names import FORMER_NAMES
from backend.apps.workflows.methods import Method, known_methods
from backend.apps.workflows.publishing import queue_of
from backend.config.celery import app
from scripts.reference.page import code, page, plain, table


def render() -> str:
    """Return the page of tasks."""
    known = known_methods()
    return page(
        "Tasks",
        "Every service method is a task of its own: a link of a step's chain, or called by `repomill call` or"
        " `POST /api/v1/tasks/`. A name is permanent. What it takes is recorded in the database; the message in the"
        " broker holds an id.",
        table(
            ["task", "what it does", "takes", "queue"],
            [
                (code(name), plain(method.summary), _takes(method), code(queue_of(name)))
                for name, method in known.items()
            ],
        ),
        "## Maintenance",
        "Started by beat, and by nobody else.",
        table(["task", "what it does"], [(code(name), plain(_summary(name))) for name in maintenance()]),
        "## Former names" if FORMER_NAMES else "",
        table(["was", "is"], [(code(old), code(new)) for old, new in sorted(FORMER_NAMES.items())]),
        "## Step types",
        "What a step can be, and what its `config` may hold. `repomill schema` prints it all as JSON Schema.",
        table(["step type", "config"], [(code(name), _config(name)) for name in step_types.names()]),
    )


def maintenance() -> list[str]:
    """Return the names of the tasks that are no service methods."""
    app.loader.import_default_modules()
    return sorted(name for name in app.tasks if name.startswith("maintenance."))


def _summary(name: str) -> str:
    return (app.tasks[name].__doc__ or "").strip().partition("\n")[0]


def _takes(method: Method) -> str:
    taken = [*map(code, method.required), *(f"{code(name)} (optional)" for name in method.optional)]
    return ", ".join([*taken, *(["what its step's config takes"] if method.takes_more else [])]) or "nothing"


def _config(name: str) -> str:
    step_type = step_types.get(name)
    schema: Any = step_type.config_schema if step_type else {}
    names: dict[str, None] = {}
    for part in [schema, *schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]:
        names |= dict.fromkeys(part.get("properties", {}))
    return ", ".join(map(code, names))
