"""Links with which somebody without a token can download one archive for a short while.

A link is signed and holds all it needs; nothing is stored. It is for one export and one archive, and no more than its
maker may do: each use asks whether they may still read the project. See docs/decisions/0036-downloads.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.urls import reverse
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.exports.errors import LinkExpired
from backend.apps.exports.selectors import get_export
from backend.apps.exports.services.downloads import archive_of
from backend.apps.projects.models import Archive
from backend.errors import InvalidInput, NotFound

SALT: Final = "repomill.exports.download"
SECONDS: Final = 900
LONGEST_SECONDS: Final = 24 * 3600
_UNKNOWN: Final = "There is no such download."


@dataclass(frozen=True)
class DownloadLink:
    """A link, and when it ends."""

    url: str
    expires_at: datetime


def signed_download_url(
    *, user: User, export_id: UUID | str, seconds: int = SECONDS, origin: str | None = None
) -> DownloadLink:
    """Return a link to an export's archive that works without a token.

    seconds: how long, up to a day. origin: what the link begins with, such as https://repomill.example.org; default
    BACKEND_URL. Raises NotFound where the user may not see the export, ExportNotReady where it has no archive yet.
    """
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise InvalidInput(f"A link works for 1 to {LONGEST_SECONDS} seconds.", field="seconds")
    export = get_export(user=user, export_id=export_id)
    archive = archive_of(export)
    expires_at = (timezone.now() + timedelta(seconds=seconds)).replace(microsecond=0)
    claims = [str(export.pk), str(user.pk), archive.digest, int(expires_at.timestamp())]
    # In the query, which neither our log nor a problem's `instance` repeats.
    address = f"{reverse('signed-download')}?link={quote(TimestampSigner(salt=SALT).sign_object(claims))}"
    return DownloadLink((settings.BACKEND_URL if origin is None else origin) + address, expires_at)


def archive_of_link(token: str) -> Archive:
    """Return the archive that a link is for.

    Raises NotFound for one that is not ours, or whose maker may no longer read the project; LinkExpired for one whose
    time is over, or whose archive is not there any more as it was.
    """
    try:
        claims: Any = TimestampSigner(salt=SALT).unsign_object(token, max_age=LONGEST_SECONDS + 60)
        export_id, user_id, digest, until = claims
    except (BadSignature, ValueError, TypeError) as error:
        raise NotFound(_UNKNOWN, hint="Ask for a new link.") from error
    if datetime.fromtimestamp(until, tz=UTC) <= timezone.now():
        raise LinkExpired(hint="Ask for a new link.")
    maker = User.objects.filter(pk=user_id).first()
    try:
        if maker is None:
            raise NotFound
        export = get_export(user=maker, export_id=export_id)
    except NotFound as error:
        # The same words as above: whoever has the link learns nothing of the project.
        raise NotFound(_UNKNOWN, hint="Ask for a new link.") from error
    archive = archive_of(export)
    if archive.digest != digest:
        raise LinkExpired("The archive has been made anew since the link was given.", hint="Ask for a new link.")
    return archive
