"""What the tests of credentials share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from tests.unit.credentials.host_server import HostServer, serving


@pytest.fixture(autouse=True)
def keys_file(settings, tmp_path: Path) -> Path:
    """A file of keys for each test, made at first use."""
    settings.CREDENTIAL_KEYS_FILE = tmp_path / "secrets" / "credential_keys"
    settings.CREDENTIAL_KEYS_GIVEN = False
    return tmp_path / "secrets" / "credential_keys"


@pytest.fixture
def canary() -> str:
    """A token that is nowhere else."""
    return f"CANARY{token_hex(16)}"


@pytest.fixture
def secret(canary: str) -> Secret:
    return Secret(canary)


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def bob() -> User:
    return User.objects.create_user("bob")


@pytest.fixture
def host() -> Iterator[HostServer]:
    """A host's API on this machine."""
    with serving() as server:
        yield server
