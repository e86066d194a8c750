"""Where one goes from what was just made: OpenAPI links from an answer to the calls that take its id.

A link says which parameter of which operation a member of the answer is, so that a reader of the document, or a program
that tests the API, can do one thing after another. It knows the document's names, and no app.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

IDS: Final[Mapping[str, Mapping[str, str]]] = {
    "BulkExport": {"bulk_export_id": "id"},
    "Credential": {"credential_id": "id"},
    "Execution": {"execution_id": "id"},
    "Export": {"export_id": "id"},
    "KeptInputs": {"saved_id": "id", "workflow_id": "workflow"},
    "Member": {"user_id": "user"},
    "Organisation": {"organisation_id": "id"},
    "OrganisationMember": {"user_id": "user"},
    "Project": {"project_id": "id"},
    "Schedule": {"schedule_id": "id"},
    "Sprint": {"sprint_id": "id"},
    "StartedGeneration": {"generation_id": "id", "task_id": "task_id", "execution_id": "workflow_execution"},
    "Story": {"story_id": "id"},
    "TaskWithResult": {"task_id": "id"},
    "WholeVersion": {"workflow_id": "workflow", "number": "version"},
}
"""By the name of an answer: which member is the value of which parameter of a path."""
MADE = ("201", "202")
_PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class _Operation:
    path: str
    method: str
    said: dict[str, Any]

    @property
    def parameters(self) -> frozenset[str]:
        return frozenset(_PARAMETER.findall(self.path))


def add_links(result: dict[str, Any], generator: object, request: object, public: bool) -> dict[str, Any]:  # noqa: ARG001
    """Give each answer to something that was made its links; a hook of drf-spectacular."""
    operations = [
        _Operation(path, method, said)
        for path, item in result.get("paths", {}).items()
        for method, said in item.items()
        if isinstance(said, dict) and "operationId" in said
    ]
    for operation in operations:
        if operation.method == "post":
            for status in MADE:
                answer = operation.said["responses"].get(status, {})
                if links := dict(_links(operation, _named(answer), operations)):
                    answer["links"] = links
    return result


def _named(answer: dict[str, Any]) -> str:
    """Return the name of what an answer holds as JSON; empty where it has none."""
    held = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return str(held.get("$ref", "")).rpartition("/")[2]


def _links(made_by: _Operation, name: str, operations: list[_Operation]) -> Iterator[tuple[str, dict[str, Any]]]:
    own = {parameter: f"$response.body#/{member}" for parameter, member in IDS.get(name, {}).items()}
    # What it was made in is in its own path: a member is found by the project's id and the user's.
    known = {parameter: f"$request.path.{parameter}" for parameter in made_by.parameters} | own
    for target in operations:
        wanted = target.parameters
        if wanted & own.keys() and wanted <= known.keys() and _belongs(made_by, target, own.keys()):
            given = {parameter: known[parameter] for parameter in sorted(wanted)}
            identifier = target.said["operationId"]
            yield identifier, {"operationId": identifier, "parameters": given}


def _belongs(made_by: _Operation, target: _Operation, own: Any) -> bool:  # noqa: ANN401  (names)
    """Say whether it is by these ids alone that the target is found: a project's member is no organisation's member."""
    rest = target.parameters - set(own)
    return not rest or target.path.startswith(made_by.path.partition("{")[0])
