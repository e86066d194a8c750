"""The record of a delivery: one row for each key, from its beginning to how it ended.

A key that has been delivered is not delivered again: its recorded result is the answer. The outside effect itself is
idempotent too (see `backend.apps.projects.hosts`), since a worker can die between the effect and the record.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.db import transaction
from django.utils import timezone

from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import GeneratedProject
from backend.apps.workflows.execution.claim import Overtaken
from backend.apps.workflows.execution.fence import Fence, no_fence
from backend.apps.workflows.execution.interruption import Interrupted
from backend.apps.workflows.execution.persistence import persistently
from backend.errors import Conflict, RepomillError

_Status = RepositoryExport.Status


def delivered(
    wanted: RepositoryExport,
    *,
    effect: Callable[[], dict[str, Any]],
    recorded: Callable[[dict[str, Any]], dict[str, Any]],
    fence: Fence = no_fence,
) -> dict[str, Any]:
    """Do the effect unless the key has been delivered, and record how it went.

    recorded: the columns that a result fills.
    fence: raises Overtaken where another attempt does this by now. Nothing is begun then, and what the other one does
        is not called failed.
    """
    fence()
    export = _opened(wanted)
    if export.status == _Status.COMPLETED:
        return _as_result(export)
    generation: GeneratedProject = export.generated_project
    try:
        result = effect()
    except RepomillError as error:
        persistently(_fail, export, error.message, fence)
        raise
    except (Interrupted, Exception):
        # Cancelled, past its time limit, or a fault: whatever it is, nobody delivers it any more.
        persistently(_fail, export, "The delivery was interrupted before it was done.", fence)
        raise
    _update(
        export,
        status=_Status.COMPLETED,
        error_message="",
        commit=generation.commit,
        config={**export.config, "result": result},
        completed_at=timezone.now(),
        **recorded(result),
    )
    export.refresh_from_db()
    return _as_result(export)


def _opened(wanted: RepositoryExport) -> RepositoryExport:
    """Return the key's row, made if need be; as one that is being exported unless it is completed."""
    export, _ = RepositoryExport.objects.get_or_create(
        key=wanted.key,
        defaults={
            "generated_project": wanted.generated_project,
            "export_type": wanted.export_type,
            "repository_name": wanted.repository_name,
            "config": wanted.config,
            "created_by": wanted.created_by,
        },
    )
    if export.status == _Status.PENDING and "request" not in export.config:
        # Made at the door, when it was asked for; what is sent to the host is settled only here.
        export.config = {**export.config, **wanted.config}
        _update(export, config=export.config)
    same = (
        export.generated_project_id == wanted.generated_project_id
        and export.export_type == wanted.export_type
        and export.config.get("request") == wanted.config["request"]
    )
    if not same:
        raise Conflict("This key was used for another delivery.", field="key", hint="Use a key of its own for each.")
    if export.status != _Status.COMPLETED:
        _update(export, status=_Status.EXPORTING)
    return export


def _fail(export: RepositoryExport, message: str, fence: Fence) -> None:
    with suppress(Overtaken), transaction.atomic():
        fence()
        _update(export, status=_Status.FAILED, error_message=message)


def _update(export: RepositoryExport, **values: Any) -> None:  # noqa: ANN401  (columns)
    """Change the row unless it has been completed, which only happens once."""
    RepositoryExport.objects.filter(pk=export.pk).exclude(status=_Status.COMPLETED).update(
        **values, updated_at=timezone.now()
    )


def _as_result(export: RepositoryExport) -> dict[str, Any]:
    result: dict[str, Any] = export.config["result"]
    return {**result, "export": str(export.pk), "generation": str(export.generated_project_id)}
