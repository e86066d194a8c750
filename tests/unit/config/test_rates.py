"""How often somebody may ask, as the environment says it."""

from __future__ import annotations

import pytest

from backend.config.environment import read
from backend.config.rates import Rate, read_rate
from backend.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("600/minute", Rate(600, 60)),
        (" 1/Second ", Rate(1, 1)),
        ("5/hour", Rate(5, 3600)),
        ("7/day", Rate(7, 86400)),
        ("none", None),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate | None) -> None:
    assert read_rate("REPOMILL_RATE_USER", text) == rate
    assert read({"REPOMILL_RATE_USER": text}).rate_user == rate
    assert rate is None or str(rate) == text.strip().lower()


@pytest.mark.parametrize(
    "text", ["600", "0/minute", "-1/minute", "600/fortnight", "600/min", "1.5/second", "many", "9" * 20 + "/day"]
)
@pytest.mark.parametrize(
    "name", ["REPOMILL_RATE_USER", "REPOMILL_RATE_ADDRESS", "REPOMILL_RATE_LOGIN", "REPOMILL_RATE_DRY_RUN"]
)
def test_a_senseless_one_is_named(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read({name: text})
    assert refused.value.place["field"] == name


@pytest.mark.parametrize(
    ("name", "value"),
    [("REPOMILL_PROXIES", "-1"), ("REPOMILL_LARGEST_BODY", "0"), ("REPOMILL_AGENT_ACTIONS_DAYS", "0")],
)
def test_other_limits_are_checked(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read({name: value})
    assert refused.value.place["field"] == name
