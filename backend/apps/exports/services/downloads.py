"""Which archive an export delivers, and under which name it is kept by who downloads it. It sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.apps.exports.errors import ExportNotReady
from backend.apps.exports.models import RepositoryExport
from backend.apps.projects.models import Archive
from backend.errors import NotFound

MEDIA_TYPES: Final = {
    Archive.Format.ZIP.value: "application/zip",
    Archive.Format.TAR.value: "application/x-tar",
    Archive.Format.TAR_GZ.value: "application/gzip",
}
SHORT_COMMIT: Final = 12


def archive_of(export: RepositoryExport) -> Archive:
    """Return the archive of an export. Raises ExportNotReady where it has none, or not yet; NotFound when it went."""
    if export.export_type not in MEDIA_TYPES:
        raise ExportNotReady(
            "The export is a repository, and there is nothing to download.",
            export_status=export.status,
            hint="Clone the repository, or request an export of the type zip, tar or tar.gz.",
        )
    if export.status != RepositoryExport.Status.COMPLETED:
        raise ExportNotReady(
            f"The export is {export.status}; its archive is not ready.",
            export_status=export.status,
            hint="Ask for the export's status until it is completed.",
        )
    made = Archive.objects.filter(generated_project_id=export.generated_project_id, commit=export.commit)
    archive = made.filter(format=export.export_type).select_related("generated_project__project").first()
    if archive is None:
        raise NotFound("The archive is no longer there.", hint="Request the export once more.")
    return archive


@dataclass(frozen=True)
class ArchiveName:
    """How an archive is called: as people know the project, in plain ASCII, and what both end with."""

    full: str
    plain: str
    ending: str


def name_of(archive: Archive) -> ArchiveName:
    """Return the name under which an archive is kept by who downloads it."""
    project = archive.generated_project.project
    commit = archive.commit[:SHORT_COMMIT]
    return ArchiveName(f"{project.name}-{commit}", f"{project.slug}-{commit}", f".{archive.format}")
