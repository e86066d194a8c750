"""A credential as its pages show it: where it is for, until when, and what is left, in words. Never its value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backend.apps.credentials.hosts import host_kind
from backend.apps.credentials.models import Credential
from backend.apps.credentials.services.check import EXPIRES_SOON
from backend.apps.credentials.services.host_answers import Finding
from backend.apps.exports.credential_uses import Uses
from backend.apps.exports.quota_selectors import Left, Quota


@dataclass(frozen=True)
class Row:
    """A credential and what is known of it. project: the name of the one it is shared with. own: who looks owns it."""

    credential: Credential
    uses: Uses
    quota: Quota | None
    project: str | None
    own: bool
    now: datetime

    @property
    def where(self) -> str:
        """Which host it is for."""
        kind = host_kind(self.credential.host)
        address = self.credential.base_url
        return kind.title if address == kind.base_url else f"{kind.title} at {address.partition('://')[2]}"

    @property
    def can_be_asked(self) -> bool:
        """Whether its host can be asked about it."""
        return bool(host_kind(self.credential.host).api_path)

    @property
    def standing(self) -> str:
        """How it stands: expired, expiring, ok as far as its host said, or unchecked."""
        end = self.credential.expires_at
        if end is not None and end <= self.now:
            return "expired"
        if end is not None and end - self.now <= EXPIRES_SOON:
            return "expiring"
        if self.credential.last_checked_at is None:
            return "unchecked"
        return "accepted" if self.credential.account else "rejected"

    @property
    def scopes(self) -> str:
        """What it may do, as its host said."""
        said = self.credential.scopes
        return "not said" if said is None else ", ".join(map(str, said)) or "nothing"

    @property
    def least(self) -> Left | None:
        """What is left of the limit that is nearest to its end."""
        return min(self.quota.left, key=lambda left: left.number, default=None) if self.quota else None


def finding_words(finding: Finding, *, host: str) -> str:
    """Return what a host said of a credential in one sentence or two."""
    words = f"{host_kind(host).title} accepts it"
    if finding.account:
        words += f" as {finding.account}"
    if finding.scopes is not None:
        words += f"; it may: {', '.join(finding.scopes) or 'nothing'}"
    if finding.quota is not None:
        words += f". {finding.quota.remaining:,} of {finding.quota.limit:,} requests are left"
        words += f" until {finding.quota.resets_at:%H:%M} UTC" if finding.quota.resets_at else ""
    return f"{words}."
