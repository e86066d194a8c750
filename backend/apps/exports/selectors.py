"""Which deliveries a user may see. It reads; it changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import QuerySet

from backend.apps.authentication.models import User
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import Archive
from backend.apps.projects.selectors import visible_projects
from backend.errors import NotFound


def visible_exports(*, user: User) -> QuerySet[RepositoryExport]:
    """Return the deliveries of the projects that the user may see, newest first."""
    return RepositoryExport.objects.filter(
        generated_project__project__in=visible_projects(user=user).values("pk")
    ).select_related("generated_project__project")


def filtered_exports(
    *,
    user: User,
    project: UUID | None = None,
    generated_project: UUID | None = None,
    status: str | None = None,
    export_type: str | None = None,
    ordering: str = "-created_at",
) -> QuerySet[RepositoryExport]:
    """Return the deliveries that the user may see, of a project, a generation, a status and a type where given."""
    wanted = {
        "generated_project__project": project,
        "generated_project": generated_project,
        "status": status,
        "export_type": export_type,
    }
    chosen = {name: value for name, value in wanted.items() if value is not None}
    return visible_exports(user=user).filter(**chosen).order_by(ordering, "pk")


def get_export(*, user: User, export_id: UUID | str) -> RepositoryExport:
    """Return the delivery. Raises NotFound where there is none or the user may not see its project."""
    try:
        identifier = export_id if isinstance(export_id, UUID) else UUID(export_id)
    except ValueError:
        found = None
    else:
        found = visible_exports(user=user).filter(pk=identifier).first()
    if found is None:
        raise NotFound(
            f"There is no export {str(export_id)[:100]!r}.",
            hint="Check the id, and that you are a member of its project.",
        )
    return found


def downloads_of(archives: Collection[Archive], *, user: User) -> dict[UUID, RepositoryExport]:
    """Return, by the archives' ids, a completed delivery with which each can be downloaded, where there is one."""
    made = visible_exports(user=user).filter(
        status=RepositoryExport.Status.COMPLETED,
        generated_project__in={archive.generated_project_id for archive in archives},
        commit__in={archive.commit for archive in archives},
        export_type__in={archive.format for archive in archives},
    )
    known = {(export.generated_project_id, export.export_type, export.commit): export for export in made}
    places = {archive.pk: (archive.generated_project_id, archive.format, archive.commit) for archive in archives}
    return {identifier: known[place] for identifier, place in places.items() if place in known}
