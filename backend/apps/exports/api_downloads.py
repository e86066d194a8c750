"""Downloading archives: with a token, or with a signed link."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.api.file_responses import RANGE_HEADERS
from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.exports.archive_responses import archive_response
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.selectors import get_export
from backend.apps.exports.serializers import LinkSerializer, LinkWishSerializer
from backend.apps.exports.services.downloads import MEDIA_TYPES, archive_of
from backend.apps.exports.services.links import archive_of_link, signed_download_url

_BYTES = OpenApiResponse(OpenApiTypes.BINARY, description="The archive.")
_ARCHIVE: dict[Any, OpenApiResponse] = {
    **{(200, media_type): _BYTES for media_type in MEDIA_TYPES.values()},
    **{(206, media_type): _BYTES for media_type in MEDIA_TYPES.values()},
    302: OpenApiResponse(description="The object storage sends it; follow."),
    304: OpenApiResponse(description="You have it already."),
}


class DownloadViewSet(ApiViewSet):
    """The archive of an export."""

    queryset = RepositoryExport.objects.none()
    serializer_class = LinkSerializer
    # A link gives no more than what its maker may read.
    scopes: ClassVar[dict[str, str]] = {"link": "read"}

    @extend_schema(summary="Download an export's archive", responses=_ARCHIVE, parameters=RANGE_HEADERS)
    def retrieve(self, request: Request, export_id: UUID) -> HttpResponseBase:
        """Download the archive of a completed export: whole, or in ranges. Its ETag is its SHA-256."""
        export = get_export(user=user_of(request), export_id=export_id)
        return archive_response(request, archive=archive_of(export))

    @extend_schema(summary="Make a download link", request=LinkWishSerializer, responses={201: LinkSerializer})
    def link(self, request: Request, export_id: UUID) -> Response:
        """Make a link with which the archive can be downloaded without a token for a short while.

        It is of no more use than you are: it ends early when you may no longer read the project.
        """
        get_export(user=user_of(request), export_id=export_id)
        origin = request.build_absolute_uri("/").rstrip("/")
        wish = self.validated(request, LinkWishSerializer)
        made = signed_download_url(user=user_of(request), export_id=export_id, origin=origin, **wish)
        return self.one(made, LinkSerializer, code=status.HTTP_201_CREATED)


class SignedDownloadView(APIView):
    """The archive that a signed link is for."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        summary="Download with a link",
        responses=_ARCHIVE,
        parameters=[OpenApiParameter("link", str, required=True, description="What was signed."), *RANGE_HEADERS],
        operation_id="signed_download",
        auth=[],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Download an archive with a link that somebody made for you."""
        return archive_response(request, archive=archive_of_link(request.query_params.get("link", "")))

    head = get
