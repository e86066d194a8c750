"""Secrets that another system repeats are taken out of results and errors."""

import base64

import pytest

from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.redaction import clean, without
from backend.errors import RemoteRefused

TOKEN = "tok-en/with+signs=1"
SECRET = Secret(TOKEN)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (f"said {TOKEN}!", "said [secret]!"),
        ({TOKEN: [{"deep": TOKEN}], "n": 1}, {"[secret]": [{"deep": "[secret]"}], "n": 1}),
        ("?token=tok-en%2Fwith%2Bsigns%3D1", "?token=[secret]"),
        (base64.b64encode(TOKEN.encode()).decode(), "[secret]"),
        ({"ok": True, "none": None}, {"ok": True, "none": None}),
    ],
)
def test_every_spelling_goes(value, left):
    assert without(value, [SECRET]) == left


def test_without_a_secret_a_result_is_the_same_object():
    value = {"a": [1]}
    assert without(value, []) is value


def test_a_short_secret_is_not_looked_for():
    assert without("a banana", [Secret("a")]) == "a banana"


def test_an_error_keeps_its_meaning():
    error = RemoteRefused(f"no {TOKEN}", hint=f"try {TOKEN}", status=422, said=[TOKEN])
    clean(error, [SECRET])
    assert error.as_json() == {
        "code": "remote_refused",
        "message": "no [secret]",
        "retryable": False,
        "hint": "try [secret]",
        "status": 422,
        "said": ["[secret]"],
    }
    assert str(error) == "no [secret]"
