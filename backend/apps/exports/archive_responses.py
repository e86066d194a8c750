"""The answer to who downloads an archive: sent by Repomill, by the web server in front of it, or by the object storage.

Whoever sends it, Repomill has decided who may have it, under which name, and whether they have it already.
"""

from __future__ import annotations

import inspect
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.files.storage import FileSystemStorage, Storage
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from backend.api.download_names import attachment
from backend.api.sending import Described, not_modified, send
from backend.apps.exports.services.downloads import MEDIA_TYPES, name_of
from backend.apps.projects.models import Archive
from backend.apps.projects.services.archive_storage import archives_storage, open_to_send

ACCEL = "X-Accel-Redirect"


def archive_response(request: Request, *, archive: Archive) -> HttpResponseBase:
    """Answer with an archive. Raises NotFound where it is gone."""
    name = name_of(archive)
    described = Described(
        digest=archive.digest,
        media_type=MEDIA_TYPES[archive.format],
        disposition=attachment(name.full, plain=name.plain, ending=name.ending),
    )
    file, size = open_to_send(archive)
    elsewhere = _sent_by_others(request, archive=archive, described=described)
    if elsewhere is not None:
        file.close()
        return elsewhere
    return send(request, file, size=size, described=described)


def _sent_by_others(request: Request, *, archive: Archive, described: Described) -> HttpResponseBase | None:
    """Return the answer that lets somebody else send the archive; None where Repomill does."""
    storage = archives_storage()
    on_file_system = isinstance(storage, FileSystemStorage)
    sender = settings.ARCHIVES_SENT_BY
    if sender == "repomill" or on_file_system != (sender == "web-server"):
        return None
    if (unchanged := not_modified(request, described)) is not None:
        return unchanged
    if on_file_system:
        response = HttpResponse(headers={ACCEL: settings.ARCHIVES_LOCATION + quote(archive.path)})
        response["Content-Type"] = described.media_type
        response["Content-Disposition"] = described.disposition
        # Its length is the file's, not this answer's; the web server sets it.
    else:
        response = HttpResponse(status=302, headers={"Location": _address(storage, archive.path, described)})
    return described.protect(response)


def _address(storage: Storage, key: str, described: Described) -> str:
    """Return the storage's own address of an archive; where it can, it is told the headers to send."""
    options: dict[str, Any] = {}
    if "parameters" in inspect.signature(storage.url).parameters:
        options["parameters"] = {
            "ResponseContentDisposition": described.disposition,
            "ResponseContentType": described.media_type,
            "ResponseCacheControl": described.cache,
        }
    return storage.url(key, **options)
