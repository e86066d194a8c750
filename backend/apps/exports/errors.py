"""The errors of exports: what is asked of one too early, and links that are of no use any more."""

from __future__ import annotations

from backend.errors import InvalidInput, PermissionRefused


class ExportNotReady(InvalidInput):
    """The export has no archive to download, or not yet.

    place: `export_status`, where it stands.
    """

    code = "export_not_ready"


class LinkExpired(PermissionRefused):
    """The link has expired."""

    code = "link_expired"
