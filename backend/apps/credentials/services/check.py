"""Asks a host whose a credential is, what it may do, how long and how often, and says what a person should see to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

from backend.apps.credentials.errors import CredentialRejected
from backend.apps.credentials.hosts import GITHUB, GITLAB, api_url, host_kind
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.host_answers import Finding, from_github, from_gitlab
from backend.apps.credentials.services.host_requests import Questions
from backend.apps.credentials.services.secrets import open_secret
from backend.origins import read_web_address

EXPIRES_SOON: Final = timedelta(days=14)


@dataclass(frozen=True)
class Concern:
    """Something that a person should see to: a stable code, and a sentence."""

    code: str
    message: str


def check_credential(credential: Credential) -> Finding:
    """Ask the credential's host, keep what it said in the row, and return it.

    Raises CredentialRejected, RateLimited, RemoteUnreachable, RemoteRefused, InvalidInput for an address that the
    operator does not allow any more, CredentialUnreadable, CredentialKeyMissing.
    """
    secret = open_secret(credential, used=False)
    try:
        finding = ask_host(host=credential.host, base_url=credential.base_url, secret=secret)
    except CredentialRejected:
        _keep(credential, last_checked_at=timezone.now())
        raise
    keep_finding(credential, finding)
    return finding


def keep_finding(credential: Credential, finding: Finding) -> None:
    """Write into the row what a host said of the value that it holds; nothing where it was not asked."""
    if finding.asked:
        scopes = None if finding.scopes is None else list(finding.scopes)
        now = timezone.now()
        _keep(credential, account=finding.account, scopes=scopes, expires_at=finding.expires_at, last_checked_at=now)


def ask_host(*, host: str, base_url: str, secret: Secret) -> Finding:
    """Ask a host about a secret that need not be stored; `git` has no API and is not asked. Raises as above."""
    kind = host_kind(host)
    if not kind.api_path:
        return Finding(asked=False)
    secret.require_token()
    return asyncio.run(_asked(host=host, base_url=base_url, secret=secret))


def concerns(finding: Finding, *, host: str, now: datetime) -> list[Concern]:
    """Return what a person should see to: an end that is near, and scopes that are not enough to publish with."""
    found = []
    if finding.expires_at is not None and finding.expires_at <= now:
        found.append(Concern("expired", f"It expired on {finding.expires_at:%Y-%m-%d}."))
    elif finding.expires_at is not None and finding.expires_at - now <= EXPIRES_SOON:
        days = (finding.expires_at - now).days
        found.append(Concern("expires_soon", f"It expires on {finding.expires_at:%Y-%m-%d}, in {days} days."))
    if finding.quota is not None and finding.quota.remaining == 0:
        found.append(Concern("quota_used_up", "No requests are left for now."))
    return [*found, *_about_scopes(finding, host=host)]


def _about_scopes(finding: Finding, *, host: str) -> list[Concern]:
    if not finding.asked:
        return [Concern("not_checked", "A git server without an API cannot be asked; the first push will tell.")]
    if finding.scopes is None:
        needs = "write access to contents and administration" if host == GITHUB.name else "the scope `api`"
        return [Concern("scopes_unknown", f"The host does not say what it may do; to publish it needs {needs}.")]
    if host == GITHUB.name and "repo" not in finding.scopes:
        said = "It may write to public repositories only" if "public_repo" in finding.scopes else "It may not write"
        return [Concern("scope_missing", f"{said}; to publish it needs the scope `repo`.")]
    if host == GITLAB.name and "api" not in finding.scopes:
        if "write_repository" in finding.scopes:
            return [Concern("scope_narrow", "It may push, but needs the scope `api` to make repositories.")]
        return [Concern("scope_missing", "It may not write; to publish it needs the scope `api`.")]
    return []


async def _asked(*, host: str, base_url: str, secret: Secret) -> Finding:
    kind, api = host_kind(host), api_url(host=host, base_url=base_url)
    address = read_web_address(api)
    shown = address.host if address else api
    questions = Questions(secret=secret, internal_hosts=settings.GIT_INTERNAL_HOSTS)
    user = await questions.get(f"{api}/user")
    if host == GITHUB.name:
        return from_github(user, kind=kind, host=shown, secret=secret, now=timezone.now())
    token = await questions.get(f"{api}/personal_access_tokens/self")
    return from_gitlab(user, token, kind=kind, host=shown, secret=secret, now=timezone.now())


def _keep(credential: Credential, **known: object) -> None:
    """Write what is known into the row, unless it has got another value meanwhile."""
    same = Credential.objects.filter(pk=credential.pk, ciphertext=bytes(credential.ciphertext))
    if same.update(**known):
        for name, value in known.items():
            setattr(credential, name, value)
