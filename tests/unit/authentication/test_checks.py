"""The key that signs tokens is checked at start."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

from backend.apps.authentication.checks import check_signing_key


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("", ["authentication.E001"]),
        ("k" * 31, ["authentication.E001"]),
        ("the same as the secret key of this installation", ["authentication.E002"]),
        ("k" * 32, []),
    ],
)
def test_weak_keys_are_found(settings: Any, key: str, found: list[str]) -> None:
    settings.SECRET_KEY = "the same as the secret key of this installation"
    settings.SIMPLE_JWT = {"SIGNING_KEY": key}
    assert [each.id for each in check_signing_key()] == found


def test_the_check_is_registered_and_content_with_our_own_settings(settings: Any) -> None:
    assert not [each for each in run_checks() if (each.id or "").startswith("authentication.")]
    settings.SIMPLE_JWT = {"SIGNING_KEY": "short"}
    assert "authentication.E001" in [each.id for each in run_checks()]
