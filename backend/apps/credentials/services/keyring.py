"""The keys that credentials are encrypted with: a file with one key a line, the newest first.

The newest encrypts; all of them decrypt. The file is read again when it has changed, so a new key needs no restart.
It encrypts nothing itself, see `backend.apps.credentials.services.encryption`.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from backend.apps.credentials.errors import CredentialKeyMissing
from backend.config.secret_files import read_or_create, write_private
from backend.errors import ConfigurationError

KEY_BYTES = 32
# Containers find their secrets here: private to the container, and readable within it.
MOUNTED_SECRETS = Path("/run/secrets")


@dataclass(frozen=True)
class Key:
    """A key for AES-256. `id` is derived from it, so that no line can be labelled wrongly, and tells nothing of it."""

    id: str
    material: bytes = field(repr=False)


@dataclass(frozen=True)
class KeyRing:
    """The keys of a file, newest first; never empty."""

    keys: tuple[Key, ...]

    @property
    def newest(self) -> Key:
        """The key to encrypt with."""
        return self.keys[0]

    def get(self, key_id: str) -> Key:
        """Return the key of that id. Raises CredentialKeyMissing."""
        for key in self.keys:
            if key.id == key_id:
                return key
        raise key_missing(key_id)


def load(*, create: bool) -> KeyRing:
    """Return the keys.

    create: make the file where it is missing and is Repomill's own. Only what encrypts asks for that: what decrypts
    could do nothing with a new key.
    Raises ConfigurationError for a file that cannot be read, is open to others or holds no keys, CredentialKeyMissing
    where there is none.
    """
    path = Path(settings.CREDENTIAL_KEYS_FILE)
    if create and not settings.CREDENTIAL_KEYS_GIVEN:
        read_or_create(path.parent, path.name, length=KEY_BYTES)
    try:
        found = path.stat()
    except FileNotFoundError:
        raise _file_missing(path) from None
    except OSError as error:
        raise _unreadable(path, error) from error
    _require_private(path, found.st_mode)
    return _read(path, (found.st_ino, found.st_size, found.st_mtime_ns))


def add_key() -> Key:
    """Put a new key in front of the others and return it. The file is made where it is missing.

    Raises ConfigurationError where the file is another's to write.
    """
    path = Path(settings.CREDENTIAL_KEYS_FILE)
    line = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")
    with _locked(path):
        before = path.read_text("utf-8") if path.exists() else ""
        _write(path, f"{line}\n{before}")
    return load(create=False).newest


def drop_keys(*, but: Collection[str]) -> int:
    """Take all keys out of the file but the newest and those with the given ids; return how many went."""
    path = Path(settings.CREDENTIAL_KEYS_FILE)
    with _locked(path):
        ring = load(create=False)
        kept = {ring.newest.id, *but}
        lines = path.read_text("utf-8").splitlines()
        left = [line for line in lines if not _holds_key(line) or _key(line, path).id in kept]
        if len(left) < len(lines):
            _write(path, "\n".join(left) + "\n")
    return len(lines) - len(left)


def key_missing(key_id: str) -> CredentialKeyMissing:
    """Return the error for a key that is not in the file."""
    path = settings.CREDENTIAL_KEYS_FILE
    return CredentialKeyMissing(
        f"The key {key_id} that this secret was encrypted with is not in {path}.",
        hint="Put the key's line back into the file from a backup. If it is lost, give the credential its value anew:"
        " repomill credentials rotate NAME",
        key=key_id,
        path=str(path),
    )


_cache: dict[tuple[Path, tuple[int, int, int]], KeyRing] = {}


def _read(path: Path, version: tuple[int, int, int]) -> KeyRing:
    if ring := _cache.get((path, version)):
        return ring
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        lines = []
    except OSError as error:
        raise _unreadable(path, error) from error
    keys = tuple(_key(line, path, number) for number, line in enumerate(lines, 1) if _holds_key(line))
    if not keys:
        raise ConfigurationError(
            f"The file of keys {path} holds no key.",
            field="REPOMILL_CREDENTIAL_KEYS_FILE",
            hint="Put it back from a backup, or begin a new one: repomill credentials rotate-keys --new-key",
            path=str(path),
        )
    _cache.clear()
    _cache[path, version] = KeyRing(keys)
    return _cache[path, version]


def _holds_key(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _key(line: str, path: Path, number: int | None = None) -> Key:
    text = line.strip().translate(str.maketrans("+/", "-_")).rstrip("=")
    try:
        material = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        material = b""
    if len(material) != KEY_BYTES:
        raise ConfigurationError(
            f"A line of the file of keys {path} is no key.",
            field="REPOMILL_CREDENTIAL_KEYS_FILE",
            path=str(path),
            line=number,
            expected=f"{KEY_BYTES} random bytes in base64, one key a line; openssl rand -base64 {KEY_BYTES} makes one",
        )
    return Key(hashlib.blake2b(material, digest_size=6, person=b"repomill-key-id").hexdigest(), material)


def _require_private(path: Path, mode: int) -> None:
    closed_to = 0o022 if path.is_relative_to(MOUNTED_SECRETS) else 0o077
    if mode & closed_to:
        raise ConfigurationError(
            f"The file of keys {path} is open to others.",
            field="REPOMILL_CREDENTIAL_KEYS_FILE",
            hint=f"Run: chmod 600 {path}",
            path=str(path),
        )


def _write(path: Path, text: str) -> None:
    try:
        write_private(path, text)
    except OSError as error:
        raise ConfigurationError(
            f"The file of keys {path} cannot be written: {error.strerror}.",
            field="REPOMILL_CREDENTIAL_KEYS_FILE",
            hint=f"Write the new key into its first line yourself; openssl rand -base64 {KEY_BYTES} makes one.",
            path=str(path),
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other writers of the file out; the folder itself is the lock, so nothing is left behind."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _file_missing(path: Path) -> CredentialKeyMissing:
    return CredentialKeyMissing(
        f"The file of keys {path} is not there.",
        field="REPOMILL_CREDENTIAL_KEYS_FILE",
        hint="Put it back from a backup. Where nothing is encrypted yet, make it: repomill credentials rotate-keys"
        " --new-key",
        path=str(path),
    )


def _unreadable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The file of keys {path} cannot be read: {error.strerror}.", field="REPOMILL_CREDENTIAL_KEYS_FILE"
    )
