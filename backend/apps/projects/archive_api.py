"""The files of a project's workspace over REST, many at once: an archive is the body. `archive_upload` writes them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, BinaryIO
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.errors import PayloadTooLarge
from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.projects.errors import InvalidArchive
from backend.apps.projects.file_serializers import WrittenArchiveSerializer
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services.archive_upload import LARGEST_ARCHIVE, write_archive
from backend.apps.projects.services.content import CHUNK


@dataclass(frozen=True)
class SentArchive:
    """The body, in a file on the disk that whoever has it closes."""

    file: BinaryIO
    format: str


class ArchiveParser(BaseParser):
    """Puts a zip into a file on the disk."""

    media_type = "application/zip"
    format = "zip"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002  (REST framework's signature)
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:  # noqa: ANN401  (a SentArchive; REST framework's stubs know forms and mappings alone)
        """Return the archive. Raises PayloadTooLarge."""
        file = tempfile.TemporaryFile()  # noqa: SIM115  (it outlives this)
        try:
            while chunk := stream.read(CHUNK):
                file.write(chunk)
                if file.tell() > LARGEST_ARCHIVE:
                    raise PayloadTooLarge(
                        f"The archive is larger than {LARGEST_ARCHIVE} bytes.", hint="Send it in several parts."
                    )
            file.flush()
        except BaseException:
            file.close()
            raise
        return SentArchive(file, self.format)


class TarParser(ArchiveParser):
    """The same for a tar."""

    media_type = "application/x-tar"
    format = "tar"


class GzipParser(ArchiveParser):
    """The same for a tar that is compressed."""

    media_type = "application/gzip"
    format = "tar.gz"


class OldGzipParser(GzipParser):
    """The same by the name that it had before it was registered."""

    media_type = "application/x-gzip"


class WorkspaceArchiveViewSet(ApiViewSet):
    """The files of a project's own workspace, many at once."""

    queryset = Project.objects.none()
    serializer_class = WrittenArchiveSerializer
    parser_classes = (ArchiveParser, TarParser, GzipParser, OldGzipParser)
    largest_body = LARGEST_ARCHIVE

    @extend_schema(
        summary="Write an archive's files",
        request=dict.fromkeys(("application/zip", "application/gzip", "application/x-tar"), OpenApiTypes.BINARY),
        responses={200: WrittenArchiveSerializer},
    )
    def create(self, request: Request, project_id: UUID) -> Response:
        """Write the files of a zip, tar or tar.gz into the workspace: all of them, or none.

        What is there under the same paths is replaced, everything else stays. The archive holds regular files and
        directories alone; links, `.git` and names that no project can have are refused with the entry as `path`.
        """
        get_project(user=user_of(request), project_id=project_id, write=True)
        sent: Any = request.data
        if not isinstance(sent, SentArchive):
            raise InvalidArchive("The body is empty.", hint="Send the archive itself as the body.")
        with sent.file:
            written = write_archive(user=user_of(request), project_id=project_id, archive=sent.file, format=sent.format)
        return self.one(written)
