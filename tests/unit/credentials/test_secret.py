"""A secret shows itself nowhere unless asked to by name."""

import copy
import io
import json
import logging
import pickle
from dataclasses import asdict, dataclass

import pytest
from django.core.serializers.json import DjangoJSONEncoder

from backend.apps.credentials.secret import HIDDEN, LARGEST_SECRET, Secret
from backend.errors import InvalidInput


@dataclass
class Holder:
    secret: Secret


@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>40}",
        lambda secret: "%s" % secret,  # noqa: UP031
        lambda secret: f"{secret:>40}",
        lambda secret: str([secret, {"x": secret}]),
        lambda secret: repr(Holder(secret)),
        lambda secret: str(asdict(Holder(secret))),
        lambda secret: json.dumps({"x": secret}, default=str),
        lambda secret: str(vars(type(secret))),
    ],
)
def test_showing_it_hides_it(secret, canary, shown):
    assert canary not in shown(secret)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(secret, protocol):
    with pytest.raises(TypeError, match="not written anywhere"):
        pickle.dumps(secret, protocol)


@pytest.mark.parametrize("encoder", [json.JSONEncoder, DjangoJSONEncoder])
def test_it_is_no_json(secret, canary, encoder):
    with pytest.raises(TypeError) as refused:
        json.dumps(secret, cls=encoder)
    assert canary not in str(refused.value)


def test_it_has_no_attributes_to_list_and_takes_none(secret):
    assert not hasattr(secret, "__dict__")
    with pytest.raises(AttributeError):
        secret.value = "x"


def test_a_log_line_hides_it(secret, canary):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger("secrets").addHandler(handler)
    logging.getLogger("secrets").warning("token %s %r", secret, secret)
    logging.getLogger("secrets").removeHandler(handler)
    assert stream.getvalue() == f"token {HIDDEN} {HIDDEN}\n"
    assert canary not in stream.getvalue()


def test_a_copy_is_the_same_secret(secret):
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_equality_tells_nothing(canary):
    assert Secret(canary) != Secret(canary)
    assert Secret(canary) != canary


def test_reveal(secret, canary):
    assert secret.reveal() == canary


@pytest.mark.parametrize("value", ["x", "päss wörd", "p" * LARGEST_SECRET, "'; drop", "%0a"])
def test_what_may_be_a_secret(value):
    assert Secret(value).reveal() == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "CANARY\nx",
        "CANARY\r",
        "CANARY\0",
        "CANARY\x1b[0m",
        "CANARY\x7f",
        "CANARY\x85",
        "CANARY\u2028",
        "CANARY\ud800",
        "CANARY" * 2000,
        "ä" * (LARGEST_SECRET // 2 + 1),
    ],
)
def test_what_cannot_be_one_is_not_repeated(value):
    with pytest.raises(InvalidInput) as refused:
        Secret(value)
    assert "CANARY" not in str(refused.value.as_json()) + repr(refused.value)
    assert refused.value.place["expected"]


@pytest.mark.parametrize(("value", "fits"), [("ghp_aZ09", True), ("two words", False), ("tökén", False)])
def test_what_can_be_a_token(value, fits):
    if fits:
        Secret(value).require_token()
        return
    with pytest.raises(InvalidInput, match="no token has") as refused:
        Secret(value).require_token()
    assert value not in str(refused.value.as_json())


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("it is a+b/c=d, see", True),
        ("it is A+B/C=D, see", True),
        ("it is a%2Bb%2Fc%3Dd", True),
        ("YStiL2M9ZA==", True),
        ("it is a+b/c", False),
        ("", False),
    ],
)
def test_it_is_recognised_in_a_text(text, stands):
    assert Secret("a+b/c=d").stands_in(text) is stands


def test_the_pair_with_a_user_name_is_a_form_of_it():
    assert "bWU6eA==" in Secret("x").forms(username="me")
