"""Adding, changing and removing credentials. Every value comes as a `Secret` and goes into the database encrypted.

Whether a host accepts a value is `backend.apps.credentials.services.check`'s to find out.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from backend.apps.authentication.models import User
from backend.apps.credentials.hosts import canonical_base_url, host_kind
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.encryption import encrypt, hold_keys
from backend.apps.credentials.words import valid_name, valid_username
from backend.errors import Conflict, NotFound, PermissionRefused

_OF_THE_VALUE = ("ciphertext", "key_id", "account", "scopes", "expires_at", "last_checked_at")


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
    """Return a credential that is checked and not stored yet; `store_credential` encrypts its value and stores it.

    name: a word in lower case. host: github, gitlab or git. base_url: default the public host; `git` needs one.
    username: default what the host wants. project_id: a project that the user may change, whose members may use it too;
    the caller has checked that. Raises InvalidInput, PermissionRefused.
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
    _require_fit(credential, secret)
    return credential


def store_credential(credential: Credential, *, secret: Secret) -> Credential:
    """Store a new credential with its value.

    Raises Conflict where its owner, or its project, has one of that name, ConfigurationError.
    """
    try:
        with transaction.atomic():
            _encrypt(credential, secret)
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
    return store_credential(credential, secret=secret)


def replace_secret(*, credential: Credential, secret: Secret) -> Credential:
    """Give the credential another value. What was known of the old one (account, scopes, expiry) is forgotten.

    The caller has got it from `selectors.own_credential`. Raises NotFound where it has been removed meanwhile.
    """
    _require_fit(credential, secret)
    with transaction.atomic():
        # Before the row, as everywhere: two locks in two orders would be a deadlock.
        hold_keys()
        # Somebody may have shared it since it was read, and its circle is bound to the value.
        row = Credential.objects.select_for_update().filter(pk=credential.pk).first()
        if row is None:
            raise NotFound("The credential is gone.", field="credential")
        _encrypt(row, secret)
        row.account, row.scopes, row.expires_at, row.last_checked_at = "", None, None, None
        row.save(update_fields=[*_OF_THE_VALUE, "updated_at"])
    credential.refresh_from_db()
    return credential


def remove_credential(*, credential: Credential) -> None:
    """Remove the credential. It stays valid at its host, where only its owner can revoke it."""
    Credential.objects.filter(pk=credential.pk).delete()


def _require_fit(credential: Credential, secret: Secret) -> None:
    if host_kind(credential.host).api_path:
        secret.require_token()


def _encrypt(credential: Credential, secret: Secret) -> None:
    encrypted = encrypt(secret, bound_to=credential.bound_to())
    credential.ciphertext, credential.key_id = encrypted.ciphertext, encrypted.key_id


def _taken(credential: Credential) -> Conflict:
    shared = " or the project" if credential.project_id else ""
    return Conflict(
        f"You{shared} already have a credential {credential.name!r}.",
        field="name",
        hint=f"Choose another name, or give that one a new value: repomill credentials rotate {credential.name}",
    )
