"""Bodies of which something is made, for the operations from which links lead on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from random import Random
from typing import Any

from tests.integration.fuzzing.known import Ids, Known

_NUMBERS = count(1)
WISH: dict[str, Any] = {"selection": {"kind": "all"}, "export_type": "zip"}
GENERATION = "projects/{project_id}/generated/{generation_id}"
TOKEN = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"

Make = Callable[[Known, Random, Ids], Any]


def _name(word: str = "fuzz") -> str:
    return f"{word}-{next(_NUMBERS)}"


def _definition(known: Known, chance: Random, ids: Ids) -> dict[str, Any]:
    step = {"id": "files", "type": "file_generation", "config": {"readme": f"# {chance.randrange(3)}"}}
    return {"name": _name(), "steps": [step]}


def _on_a_project(known: Known, chance: Random, ids: Ids) -> dict[str, Any]:
    project = known.one("project_id", chance=chance)
    return {"project": project} if project and chance.random() < 0.8 else {}


def _member(known: Known, chance: Random, ids: Ids) -> dict[str, Any]:
    return {"user": known.one("other_id", chance=chance)}


def _generation(known: Known, chance: Random, ids: Ids) -> dict[str, Any]:
    return {"workflow_id": known.one("workflow_id", chance=chance)}


BODIES: Mapping[str, Make] = {
    "POST bulk-exports/": lambda known, chance, ids: WISH,
    "POST credentials/": lambda known, chance, ids: {
        "name": _name(),
        "host": "github",
        # Nobody has that name, so that no check of the credential goes out to anybody.
        "base_url": "https://github.invalid",
        "value": TOKEN,
    },
    "POST export-schedules/": lambda known, chance, ids: {"name": _name(), "cron": "0 3 * * *", "export": WISH},
    "POST organisations/": lambda known, chance, ids: {"name": "Fuzz", "slug": _name()},
    "POST organisations/{organisation_id}/members/": _member,
    "POST projects/": lambda known, chance, ids: {"name": "Fuzz", "slug": _name()},
    "POST projects/{project_id}/generate/": _generation,
    "POST projects/{project_id}/generated/generate/": _generation,
    f"POST {GENERATION}/export/": lambda known, chance, ids: {"export_type": "zip"},
    f"POST {GENERATION}/export-to-github/": lambda known, chance, ids: {
        "repository_name": _name(),
        "github_token": TOKEN,
    },
    f"POST {GENERATION}/export-to-gitlab/": lambda known, chance, ids: {
        "project_name": _name(),
        "gitlab_token": TOKEN,
    },
    "POST projects/{project_id}/members/": _member,
    "POST projects/{project_id}/sprints/": lambda known, chance, ids: {
        "name": _name(),
        "start_date": "2026-01-01",
        "end_date": "2026-01-14",
    },
    "POST projects/{project_id}/stories/": lambda known, chance, ids: {"title": _name()},
    "POST workflows/": _definition,
    "POST workflows/{workflow_id}/execute/": _on_a_project,
    "POST workflows/{workflow_id}/saved-inputs/": lambda known, chance, ids: {"name": _name()},
    "POST workflows/{workflow_id}/saved-inputs/{saved_id}/execute/": _on_a_project,
    "POST workflows/executions/": lambda known, chance, ids: {
        "workflow": str(known.one("workflow_id", chance=chance)),
        **_on_a_project(known, chance, ids),
    },
    "POST workflows/executions/{execution_id}/rerun/": lambda known, chance, ids: {},
    "POST workflows/tasks/": lambda known, chance, ids: {
        "method": "generation.write_file",
        "arguments": {"path": "a.txt", "content": "a"},
        **_on_a_project(known, chance, ids),
    },
}
"""By method and path below /api/v1/."""
