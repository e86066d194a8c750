"""Sends the bytes of an open file: whole or in ranges, at constant memory, and in a way that no browser runs them.

Under ASGI Django hands the open file over to `file_sender`, and is done. The file is open from before the first byte to
the last: what replaces it under its name meanwhile changes nothing. Which file it is, and who may have it, is the
caller's to say.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.request import Request

from backend.api.byte_ranges import ByteRange, NotSatisfiable, wanted_ranges
from backend.api.errors import MEDIA_TYPE, problem
from backend.api.file_sender import MARK, handover_of

PIECE = 512 * 1024
"""Bytes that are read at once; each reader holds one piece on its way, and the next."""
NEVER_KEPT = "private, no-store"
ASKED_AGAIN = "private, no-cache"
INERT = {
    "X-Content-Type-Options": "nosniff",
    # Whatever it is: shown by itself, it has no origin, runs nothing and loads nothing.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}

Part = bytes | ByteRange


@dataclass(frozen=True, kw_only=True)
class Described:
    """What is said of bytes beside them.

    digest: their SHA-256 in hex, which is their ETag. disposition: the value of Content-Disposition.
    cache: the value of Cache-Control.
    """

    digest: str
    media_type: str
    disposition: str
    cache: str = NEVER_KEPT

    @property
    def etag(self) -> str:
        """The entity tag: strong, since the same digest is the same bytes."""
        return f'"{self.digest}"'

    def protect(self, response: HttpResponseBase) -> HttpResponseBase:
        """Give a response the headers that keep the bytes private and inert, and return it."""
        response["ETag"] = self.etag
        response["Cache-Control"] = self.cache
        for name, value in INERT.items():
            response[name] = value
        patch_vary_headers(response, ("Authorization", "Cookie"))
        return response


def not_modified(request: Request, described: Described) -> HttpResponseBase | None:
    """Return a 304 where the client says that it has these bytes already, else None."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in known or described.etag in {tag.removeprefix("W/") for tag in known}:
        return described.protect(HttpResponse(status=304))
    return None


def send(request: Request, file: BinaryIO, *, size: int, described: Described) -> HttpResponseBase:
    """Answer a GET or a HEAD with the bytes of an open file, which is closed in the end in whatever way that comes.

    file: can be sought in. size: its bytes; a file that turns out to be shorter breaks the connection, so that nobody
    takes a part for the whole.
    """
    if (unchanged := not_modified(request, described)) is not None:
        file.close()
        return unchanged
    try:
        ranges = _ranges(request, size=size, described=described)
    except NotSatisfiable:
        file.close()
        return described.protect(_not_satisfiable(request, size))
    response = _body(request, file, ranges=ranges, size=size, media_type=described.media_type)
    response["Content-Disposition"] = described.disposition
    response["Accept-Ranges"] = "bytes"
    return described.protect(response)


def _ranges(request: Request, *, size: int, described: Described) -> list[ByteRange] | None:
    header = request.headers.get("Range")
    # A range of something else would be glued to what the client has: If-Range asks to be told the whole then. A date
    # is never what we gave.
    outdated = request.headers.get("If-Range", described.etag).strip() != described.etag
    # Only a GET has ranges.
    if header is None or request.method != "GET" or outdated:
        return None
    return wanted_ranges(header, size=size)


def _body(
    request: Request, file: BinaryIO, *, ranges: list[ByteRange] | None, size: int, media_type: str
) -> HttpResponseBase:
    boundary = ""
    parts: list[Part]
    if ranges is None:
        parts, status = [ByteRange(0, size)], 200
    elif len(ranges) == 1:
        parts, status = list(ranges), 206
    else:
        boundary = secrets.token_hex(16)
        parts, status = _multipart(ranges, size=size, media_type=media_type, boundary=boundary), 206
    response: HttpResponseBase
    if request.method == "HEAD":
        file.close()
        response = HttpResponse(status=status)
    else:
        response = _answer(request, file, parts=parts, status=status)
    response["Content-Type"] = f"multipart/byteranges; boundary={boundary}" if boundary else media_type
    response["Content-Length"] = str(sum(len(part) if isinstance(part, bytes) else part.size for part in parts))
    if ranges is not None and len(ranges) == 1:
        response["Content-Range"] = ranges[0].content_range(size)
    return response


def _answer(request: Request, file: BinaryIO, *, parts: Sequence[Part], status: int) -> HttpResponseBase:
    asked: HttpRequest = request._request
    if not isinstance(asked, ASGIRequest):
        return StreamingHttpResponse(SyncPieces(file, parts), status=status)
    pieces = AsyncPieces(file, parts)
    if (handover := handover_of(asked.scope)) is None:
        return StreamingHttpResponse(pieces, status=status)
    handover.body = pieces
    return HttpResponse(status=status, headers={MARK: "yes"})


def _multipart(ranges: Sequence[ByteRange], *, size: int, media_type: str, boundary: str) -> list[Part]:
    parts: list[Part] = []
    for each in ranges:
        head = f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {each.content_range(size)}\r\n\r\n"
        parts += [head.encode("latin-1"), each]
    return [*parts, f"\r\n--{boundary}--\r\n".encode("latin-1")]


def _not_satisfiable(request: Request, size: int) -> HttpResponse:
    detail = "No such bytes are here, or the ranges are too many or overlap."
    body = problem(status=416, code="range_not_satisfiable", detail=detail, instance=request.path, size=size)
    headers = {"Content-Range": f"bytes */{size}"}
    return JsonResponse(body, status=416, content_type=MEDIA_TYPE, headers=headers)


class _Pieces:
    """An open file and the parts of it that are sent, one after the other."""

    def __init__(self, file: BinaryIO, parts: Sequence[Part]) -> None:
        self.file = file
        self.parts = parts

    def close(self) -> None:
        """Close the file; a response does so when it has ended, or was never begun."""
        self.file.close()

    def read(self, begin: int, most: int) -> bytes:
        """Read up to so many bytes, at least one. Raises OSError where the file has ended before its size."""
        self.file.seek(begin)
        data = self.file.read(most)
        if not data:
            raise OSError("The file is shorter than it was when it was opened.")
        return data


class SyncPieces(_Pieces):
    """For WSGI."""

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self.parts:
                if isinstance(part, bytes):
                    yield part
                    continue
                begin, end = part
                while begin < end:
                    data = self.read(begin, min(PIECE, end - begin))
                    begin += len(data)
                    yield data
        finally:
            self.close()


class AsyncPieces(_Pieces):
    """For ASGI."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            for part in self.parts:
                if isinstance(part, bytes):
                    yield part
                    continue
                begin, end = part
                while begin < end:
                    data = await asyncio.to_thread(self.read, begin, min(PIECE, end - begin))
                    begin += len(data)
                    yield data
        finally:
            self.close()
