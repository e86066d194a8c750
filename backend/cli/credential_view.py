"""Credentials as people and scripts read them: everything about them but their values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backend.apps.credentials.hosts import host_kind
from backend.apps.credentials.models import Credential
from backend.apps.credentials.services.check import EXPIRES_SOON, Concern
from backend.apps.credentials.services.host_answers import Finding
from backend.cli.messages import visible


def as_json(credential: Credential, *, projects: Mapping[UUID, str]) -> dict[str, Any]:
    """Return what may be known of a credential. projects: the slugs of those that it may be shared with."""
    shared = credential.project_id
    return {
        "id": str(credential.pk),
        "name": credential.name,
        "host": credential.host,
        "base_url": credential.base_url,
        "username": credential.username,
        "owner": credential.owner.get_username(),
        "project": None if shared is None else projects.get(shared, str(shared)),
        "account": credential.account,
        "scopes": credential.scopes,
        "expires_at": _iso(credential.expires_at),
        "last_checked_at": _iso(credential.last_checked_at),
        "last_used_at": _iso(credential.last_used_at),
        "created_at": _iso(credential.created_at),
    }


def finding_json(finding: Finding, concerns: list[Concern]) -> dict[str, Any]:
    """Return what a host said, as JSON."""
    quota = finding.quota
    return {
        "asked": finding.asked,
        "account": finding.account,
        "scopes": None if finding.scopes is None else list(finding.scopes),
        "expires_at": _iso(finding.expires_at),
        "quota": quota and {"limit": quota.limit, "remaining": quota.remaining, "resets_at": _iso(quota.resets_at)},
        "concerns": [{"code": each.code, "message": each.message} for each in concerns],
    }


def print_table(rows: list[Credential], *, projects: Mapping[UUID, str], console: Console) -> None:
    """Print credentials as a table."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("name", "host", "account", "scopes", "expires", "shared with", "last used"):
        # What a workflow names is never cut.
        table.add_column(name, no_wrap=name == "name", overflow="fold")
    for row in rows:
        table.add_row(
            Text(row.name),
            Text(where(row)),
            Text(row.account or "-"),
            Text(_scopes(row.scopes)),
            _expiry(row),
            Text("-" if row.project_id is None else projects.get(row.project_id, "a project that is gone")),
            Text(_day(row.last_used_at) if row.last_used_at else "never"),
        )
    console.print(table)


def finding_lines(finding: Finding, concerns: list[Concern], *, row: Credential) -> list[Text]:
    """Return what a host said, in lines for a person."""
    lines = []
    if finding.asked:
        lines.append(Text(f"  account  {visible(finding.account) or 'not said'} on {where(row)}"))
        lines.append(Text(f"  scopes   {_scopes(finding.scopes)}"))
        lines.append(Text(f"  expires  {_day(finding.expires_at) if finding.expires_at else 'not said, or never'}"))
    if finding.quota is not None:
        reset = f", new at {timezone.localtime(finding.quota.resets_at):%H:%M}" if finding.quota.resets_at else ""
        lines.append(Text(f"  quota    {finding.quota.remaining} of {finding.quota.limit} requests left{reset}"))
    return [*lines, *(Text(f"  ! {each.message}", "yellow") for each in concerns)]


def where(row: Credential) -> str:
    """Return which host a credential is for, as a person calls it."""
    kind = host_kind(row.host)
    return kind.title if row.base_url == kind.base_url else f"{kind.title} at {row.base_url.partition('://')[2]}"


def _scopes(scopes: Any) -> str:  # noqa: ANN401  (a JSON column, or a finding's tuple)
    if scopes is None:
        return "not said"
    return ", ".join(scopes) or "none"


def _expiry(row: Credential) -> Text:
    if row.expires_at is None:
        return Text("-")
    left = row.expires_at - timezone.now()
    return Text(_day(row.expires_at), "red" if left.days < 0 else "yellow" if left <= EXPIRES_SOON else "")


def _day(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d}"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
