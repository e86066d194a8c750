"""Adding, changing and removing credentials. Every value comes as a `Secret` and goes into the database encrypted.

Whether a host accepts a value is `backend.apps.credentials.services.check`'s to find out.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.credentials.hosts import canonical_base_url, host_kind
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.encryption import encrypt
from backend.apps.credentials.words import valid_name, valid_username
from backend.errors import Conflict, NotFound, PermissionRefused


def new_credential(
    *,
    user: User,
    name: str,
    host: str,
    secret: Secret,
    base_url: str | None = None,
    username: str | None = None,
    project_id: UUID | None = None,
) -> Credential:
    """Return a credential that is not stored yet, checked and encrypted; `store_credential` stores it.

    name: a word in lower case. host: github, gitlab or git. base_url: default the public host; `git` needs one.
    username: default what the host wants. project_id: a project that the user may change, whose members may use it too;
    the caller has checked that. Raises InvalidInput, PermissionRefused, ConfigurationError.
    """
    if not user.is_active:
        raise PermissionRefused("The user's account is not active.", field="user")
    credential = Credential(
        name=valid_name(name),
        host=host_kind(host).name,
        base_url=canonical_base_url(host=host, base_url=base_url, internal_hosts=settings.GIT_INTERNAL_HOSTS),
        username=valid_username(username or host_kind(host).username),
        owner=user,
        project_id=project_id,
    )
    return _encrypted(credential, secret)


def store_credential(credential: Credential, *, secret: Secret | None = None) -> Credential:
    """Store a new credential. Raises Conflict where its owner, or its project, has one of that name.

    secret: its value, to be encrypted anew: where time has gone by since, the key may have been taken out of the file.
    """
    if secret is not None:
        _encrypted(credential, secret)
    try:
        with transaction.atomic():
            credential.save(force_insert=True)
    except IntegrityError:
        raise _taken(credential) from None
    return credential


def require_free_name(credential: Credential) -> None:
    """Raise Conflict where the new credential's name is taken, before anything is asked of a host."""
    same = Credential.objects.filter(name=credential.name)
    if same.filter(owner_id=credential.owner_id).exists():
        raise _taken(credential)
    if credential.project_id and same.filter(project_id=credential.project_id).exists():
        raise _taken(credential)


def add_credential(
    *,
    user: User,
    name: str,
    host: str,
    secret: Secret,
    base_url: str | None = None,
    username: str | None = None,
    project_id: UUID | None = None,
) -> Credential:
    """Add a credential without asking its host; see `new_credential`. Raises Conflict where the name is taken."""
    credential = new_credential(
        user=user,
        name=name,
        host=host,
        secret=secret,
        base_url=base_url,
        username=username,
        project_id=project_id,
    )
    return store_credential(credential)


def replace_secret(*, credential: Credential, secret: Secret) -> Credential:
    """Give the credential another value. What was known of the old one (account, scopes, expiry) is forgotten.

    The caller has got it from `selectors.own_credential`. Raises NotFound where it has been removed meanwhile.
    """
    _encrypted(credential, secret)
    credential.account, credential.scopes = "", None
    credential.expires_at = credential.last_checked_at = None
    changed = Credential.objects.filter(pk=credential.pk).update(
        ciphertext=credential.ciphertext,
        key_id=credential.key_id,
        account="",
        scopes=None,
        expires_at=None,
        last_checked_at=None,
        updated_at=timezone.now(),
    )
    if not changed:
        raise NotFound("The credential is gone.", field="credential")
    return credential


def remove_credential(*, credential: Credential) -> None:
    """Remove the credential. It stays valid at its host, where only its owner can revoke it."""
    Credential.objects.filter(pk=credential.pk).delete()


def _encrypted(credential: Credential, secret: Secret) -> Credential:
    if host_kind(credential.host).api_path:
        secret.require_token()
    encrypted = encrypt(secret, bound_to=credential.bound_to())
    credential.ciphertext, credential.key_id = encrypted.ciphertext, encrypted.key_id
    return credential


def _taken(credential: Credential) -> Conflict:
    shared = " or the project" if credential.project_id else ""
    return Conflict(
        f"You{shared} already have a credential {credential.name!r}.",
        field="name",
        hint=f"Choose another name, or give that one a new value: repomill credentials rotate {credential.name}",
    )
