"""Delivers one item of a bulk export: the generation that was planned, to the bulk export's destination."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backend.apps.authentication.models import User
from backend.apps.exports.bulk_models import BulkExportItem, LastDelivery
from backend.apps.exports.destination import ARCHIVES, delivery_arguments
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.pacing import Use
from backend.apps.exports.services.deliver import (
    deliver_archive,
    deliver_to_git,
    deliver_to_github,
    deliver_to_gitlab,
)
from backend.apps.exports.services.pacing_accounts import account_of
from backend.apps.exports.services.pacing_store import Pacer
from backend.apps.projects.models import Project
from backend.apps.workflows.execution.fence import Fence, no_fence
from backend.errors import NotFound

_DELIVER: dict[str, Callable[..., dict[str, Any]]] = {
    "git": deliver_to_git,
    "github": deliver_to_github,
    "gitlab": deliver_to_gitlab,
}


def deliver_item(*, key: str, project: Project, user: User, item_id: int, fence: Fence = no_fence) -> dict[str, Any]:
    """Deliver the item of that id and return what the delivery answers.

    key: the task's, under which a delivery is done once. fence: see `recording.delivered`.
    Raises NotFound where the item is gone, and as `backend.apps.exports.services.deliver` does.
    """
    item = BulkExportItem.objects.select_related("bulk_export").filter(pk=item_id).first()
    if item is None:
        raise NotFound("The bulk export has been deleted.")
    bulk = item.bulk_export
    common: dict[str, Any] = {
        "key": key,
        "project": project,
        "user": user,
        "execution_id": None,
        "generation_id": str(item.generation_id) if item.generation_id else None,
        "fence": fence,
    }
    if bulk.export_type in ARCHIVES:
        return deliver_archive(**common, format=bulk.export_type)
    account = account_of(bulk.export_type, bulk.destination, user=user, project_id=project.pk)
    if account is not None and account.public:
        known = LastDelivery.objects.filter(destination_key=bulk.destination_key, project=project).exists()
        use = (Use.of_known_repository if known else Use.of_new_repository)(account.kind)
        Pacer(account).wait_for_place(key, use)
    # What was begun stays where it was begun: the project may have another name, or another owner, since.
    begun = RepositoryExport.objects.filter(key=key).values_list("config__request", flat=True).first()
    arguments = begun or delivery_arguments(bulk.export_type, bulk.destination, project=project)
    return _DELIVER[bulk.export_type](**common, **arguments)
