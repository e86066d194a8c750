"""The errors of credentials. None of them ever holds a secret, nor what a host said with it."""

from __future__ import annotations

from backend.errors import ConfigurationError, Conflict, RemoteRefused


class CredentialRejected(RemoteRefused):
    """The host does not accept the credential."""

    code = "credential_rejected"


class CredentialUnreadable(Conflict):
    """The credential's stored value is not what Repomill stored.

    The row was changed by something else, or copied from another one: with whom it is shared and where it may be sent
    belong to what is encrypted.
    """

    code = "credential_unreadable"


class CredentialKeyMissing(ConfigurationError):
    """The key that the credential was encrypted with is not in the file of keys."""

    code = "credential_key_missing"
