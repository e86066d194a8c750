"""Gives the secret of a credential to those who need it: in memory, or as a file for a program.

A file is the way for git's askpass: neither a command line nor an environment ever holds the secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.db.models import Q
from django.utils import timezone

from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret as Secret
from backend.apps.credentials.services import private_files
from backend.apps.credentials.services.encryption import Encrypted, decrypt

USED_EVERY = timedelta(minutes=1)
"""`last_used_at` is not written more often than this."""


def open_secret(credential: Credential, *, used: bool = True) -> Secret:
    """Return the credential's secret, and note that it was used.

    The caller has got the credential from `backend.apps.credentials.selectors`, that is, has asked who may use it.
    used: False for what only looks after the credential, such as a check.
    Raises CredentialUnreadable, CredentialKeyMissing.
    """
    encrypted = Encrypted(credential.key_id, bytes(credential.ciphertext))
    secret = decrypt(encrypted, bound_to=credential.bound_to())
    if used:
        now = timezone.now()
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
        if Credential.objects.filter(stale, pk=credential.pk).update(last_used_at=now):
            credential.last_used_at = now
    return secret


@contextmanager
def secret_file(source: Secret | Credential) -> Iterator[Path]:
    """Give the path of a file with the secret and nothing else, for as long as the block lasts.

    It has mode 0600 and a folder of its own with mode 0700, in memory where the machine offers that. It is removed when
    the block ends in whatever way; what a killed process left is removed by the next one that comes here.
    Raises as `open_secret` does, and ConfigurationError where no private folder can be made.
    """
    secret = source if isinstance(source, Secret) else open_secret(source)
    with private_files.private_folder() as folder:
        path = folder / "token"
        private_files.write(path, secret)
        yield path
