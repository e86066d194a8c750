"""The answer to who reads one file's bytes: exactly as they are, as text or as bytes, and never as a page."""

from __future__ import annotations

import codecs
from typing import BinaryIO

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.request import Request

from backend.api.download_names import attachment
from backend.api.sending import ASKED_AGAIN, Described, send

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
LOOKED_AT = 8192
"""Bytes from which is told whether a file is text."""

CONTENT = {
    (200, "text/plain"): OpenApiResponse(OpenApiTypes.STR, description="The content of a text."),
    (200, BYTES): OpenApiResponse(OpenApiTypes.BINARY, description="The content of anything else."),
    (206, BYTES): OpenApiResponse(OpenApiTypes.BINARY, description="A part of it."),
    304: OpenApiResponse(description="You have it already."),
}
"""Such an answer in the API's description."""
RANGE_HEADERS = [
    OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="Such as `bytes=0-999`."),
    OpenApiParameter("If-Range", str, OpenApiParameter.HEADER, description="The ETag that the range belongs to."),
    OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="The ETag of what you have."),
]


def file_response(request: Request, file: BinaryIO, *, path: str, size: int, digest: str) -> HttpResponseBase:
    """Answer with the bytes of an open file, which is closed in the end. digest: its SHA-256, its ETag."""
    described = Described(
        digest=digest,
        media_type=TEXT if is_text(file) else BYTES,
        disposition=attachment(path.rpartition("/")[2]),
        cache=ASKED_AGAIN,
    )
    return send(request, file, size=size, described=described)


def is_text(file: BinaryIO) -> bool:
    """Return whether a file begins like text in UTF-8."""
    file.seek(0)
    head = file.read(LOOKED_AT)
    if b"\0" in head:
        return False
    try:
        # A character may be cut at the end of what was looked at.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
