"""Secrets that were given with an execution: taken out of its config, and opened for it alone."""

import json
from uuid import UUID, uuid4

import pytest

from backend.apps.credentials.errors import CredentialUnreadable
from backend.apps.credentials.models import SealedSecret
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.literal_secrets import SECRET_KEYS
from backend.apps.credentials.services.sealed_secrets import forget, is_reference, seal, unseal
from backend.apps.credentials.services.sealing import hide_tokens, open_tokens, seal_tokens, secrets_in
from backend.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db

RUN, OTHER = uuid4(), uuid4()


def test_a_reference_opens_for_its_execution(canary):
    reference = seal(canary, execution_id=RUN)
    assert canary not in reference
    assert is_reference(reference)
    assert unseal(reference, execution_id=RUN).reveal() == canary
    assert unseal(seal(Secret("x"), execution_id=RUN), execution_id=RUN).reveal() == "x"


@pytest.mark.parametrize("made", ["secret:", "secret:x", f"secret:{uuid4()}", "CANARY", f"SECRET:{uuid4()}", ""])
def test_what_is_no_reference_of_the_execution_opens_nothing(made):
    with pytest.raises(NotFound) as refused:
        unseal(made, execution_id=RUN)
    assert refused.value.hint
    assert "CANARY" not in str(refused.value.as_json())


def test_another_execution_cannot_open_it(canary):
    reference = seal(canary, execution_id=RUN)
    with pytest.raises(NotFound):
        unseal(reference, execution_id=OTHER)
    # Not even with a row that was given to it behind our back.
    SealedSecret.objects.update(execution_id=OTHER)
    with pytest.raises(CredentialUnreadable):
        unseal(reference, execution_id=OTHER)


def test_what_is_forgotten_is_gone(canary):
    mine, others = seal(canary, execution_id=RUN), seal(canary, execution_id=OTHER)
    assert forget(RUN) == 1
    assert forget(RUN) == 0
    with pytest.raises(NotFound):
        unseal(mine, execution_id=RUN)
    assert unseal(others, execution_id=OTHER).reveal() == canary


@pytest.mark.parametrize("value", [None, 1, "secret:x", f"secret:{uuid4().hex}", f"secret:{str(uuid4()).upper()}", []])
def test_what_is_no_reference(value):
    assert not is_reference(value)


def test_literal_tokens_are_replaced_deep_and_nothing_else_is(canary):
    config = {
        "host": "github",
        "github_token": canary,
        "repository_name": "hello",
        "data": {"list": [{"Password": canary}, {"name": "x", "GitHub-Token": canary}], "token": {"deep": [canary]}},
        "params": {"token": "short"},
    }
    before = json.dumps(config)
    sealed = seal_tokens(config, execution_id=RUN)
    assert json.dumps(config) == before
    assert canary not in json.dumps(sealed)
    assert "short" not in json.dumps(sealed)
    assert sealed["host"] == "github"
    assert sealed["repository_name"] == "hello"
    assert sealed["data"]["list"][1]["name"] == "x"
    assert SealedSecret.objects.filter(execution_id=RUN).count() == 5
    opened = open_tokens(sealed, execution_id=RUN)
    assert opened["github_token"].reveal() == canary
    assert opened["data"]["token"]["deep"][0].reveal() == canary
    assert opened["params"]["token"].reveal() == "short"
    assert opened["host"] == "github"
    assert canary not in str(opened)


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_every_name_of_the_list_is_looked_for(key, canary):
    assert canary not in str(seal_tokens({key: canary}, execution_id=RUN))


@pytest.mark.parametrize(
    "value", ["${{ inputs.token }}", " ${{ inputs.token }}\n", None, "", True, f"secret:{uuid4()}", {}, []]
)
def test_what_is_no_literal_stays(value):
    assert seal_tokens({"token": value}, execution_id=RUN) == {"token": value}
    assert not SealedSecret.objects.exists()


@pytest.mark.parametrize("value", ["CANARY${{ inputs.x }}", "${{ a }}CANARY${{ b }}", 123, 1.5, "CANARY\n", " "])
def test_what_cannot_be_a_secret_is_refused_and_nothing_is_kept(value):
    with pytest.raises(InvalidInput) as refused:
        seal_tokens({"password": "a good one", "data": {"token": [value]}}, execution_id=RUN)
    assert refused.value.place["field"] == "data.token.0"
    assert "CANARY" not in str(refused.value.as_json())
    assert not SealedSecret.objects.exists()


@pytest.mark.parametrize(
    ("elsewhere", "field"),
    [
        ({"url": "https://me:{}@git.example.org/r"}, "url"),
        ({"readme": "my token is {}"}, "readme"),
        ({"structure": {"a": {"b.txt": "{}"}}}, "structure.a.b.txt"),
        ({"data": {"{}": 1}}, "data"),
        ({"list": ["x", "{}"]}, "list.1"),
    ],
)
def test_a_secret_that_stands_elsewhere_too_is_refused(elsewhere, field, canary):
    filled = json.loads(json.dumps(elsewhere).replace("{}", canary))
    with pytest.raises(InvalidInput, match="elsewhere") as refused:
        seal_tokens({"github_token": canary, **filled}, execution_id=RUN)
    assert canary not in str(refused.value.as_json())
    assert refused.value.place["field"] == field
    assert not SealedSecret.objects.exists()


def test_a_short_secret_may_be_a_word_that_stands_elsewhere():
    sealed = seal_tokens({"password": "main", "branch": "main"}, execution_id=RUN)
    assert sealed["branch"] == "main"
    assert is_reference(sealed["password"])


def test_files_that_are_called_so_are_no_secrets():
    config = {"structure": {"token": "a file", "password": {"x": "y"}}, "files": [{"path": "token", "content": "x"}]}
    assert seal_tokens(config, execution_id=RUN) == config
    assert not SealedSecret.objects.exists()


def test_only_at_the_top_is_it_content(canary):
    sealed = seal_tokens({"data": {"content": {"token": canary}}}, execution_id=RUN)
    assert canary not in str(sealed)


def test_sealing_twice_changes_nothing(canary):
    once = seal_tokens({"token": canary}, execution_id=RUN)
    assert seal_tokens(once, execution_id=RUN) == once
    assert str(SealedSecret.objects.get()) == once["token"]
    assert UUID(once["token"].removeprefix("secret:"))


def test_opening_another_executions_config_is_refused(canary):
    with pytest.raises(NotFound):
        open_tokens(seal_tokens({"token": canary}, execution_id=RUN), execution_id=OTHER)


def test_what_a_config_asks_for_beside_its_secrets(canary):
    given = {"github_token": canary, "data": {"token": [canary, None]}, "name": "x"}
    hidden = hide_tokens(given)
    assert hidden == hide_tokens(seal_tokens(given, execution_id=RUN))
    assert hidden == {"github_token": "[secret]", "data": {"token": ["[secret]", None]}, "name": "x"}


def test_the_opened_secrets_of_a_config(canary):
    opened = open_tokens(
        seal_tokens({"token": canary, "data": {"password": ["pw"]}}, execution_id=RUN), execution_id=RUN
    )
    assert sorted(secret.reveal() for secret in secrets_in(opened)) == sorted([canary, "pw"])
