"""Adding, changing and removing credentials."""

from uuid import uuid4

import pytest
from django.utils import timezone

from backend.apps.credentials.errors import CredentialUnreadable
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import (
    add_credential,
    new_credential,
    remove_credential,
    replace_secret,
    require_free_name,
    store_credential,
)
from backend.apps.credentials.services.secrets import open_secret
from backend.apps.credentials.services.sharing import share_credential
from backend.apps.credentials.words import is_name
from backend.errors import Conflict, InvalidInput, NotFound, PermissionRefused

pytestmark = pytest.mark.django_db

PROJECT = uuid4()


def test_a_credential_is_stored_encrypted_and_opens(ada, secret, canary):
    row = Credential.objects.get(pk=add_credential(user=ada, name="acme-bot", host="github", secret=secret).pk)
    assert (row.name, row.host, row.base_url, row.username) == (
        "acme-bot",
        "github",
        "https://github.com",
        "x-access-token",
    )
    assert canary.encode() not in bytes(row.ciphertext)
    assert open_secret(row).reveal() == canary


def test_what_is_given_is_kept(ada, secret):
    row = add_credential(
        user=ada,
        name="own",
        host="git",
        secret=secret,
        base_url="https://Git.Example.org/",
        username="robot",
        project_id=PROJECT,
    )
    row.refresh_from_db()
    assert (row.base_url, row.username, row.project_id, row.owner) == ("https://git.example.org", "robot", PROJECT, ada)


@pytest.mark.parametrize("name", ["a", "acme-bot", "acme.bot_2", "0x", "a" * 63])
def test_names(name):
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "Acme", "-a", "a-", "a b", "ä", "a" * 64, "a\n", "../x", "a/b", "x\0"),
        *("ghp_canary00000000000000", "github_pat_canary0000", "glpat-canary00000000000", "eyjcanary.canary", "ghp_x"),
    ],
)
def test_what_is_no_name_is_refused_and_not_repeated(ada, secret, name):
    with pytest.raises(InvalidInput) as refused:
        add_credential(user=ada, name=name, host="github", secret=secret)
    assert refused.value.place["field"] == "name"
    assert "canary" not in str(refused.value.as_json())
    assert not Credential.objects.exists()


@pytest.mark.parametrize("username", ["a b", "a'b", "a:b", "a\nb", "$(id)", "x" * 101])
def test_what_is_no_user_name_is_refused(ada, secret, username):
    with pytest.raises(InvalidInput) as refused:
        add_credential(user=ada, name="x", host="github", secret=secret, username=username)
    assert refused.value.place["field"] == "username"


def test_a_token_that_cannot_go_into_a_header_is_refused_where_there_is_an_api(ada):
    for host, fits in (("github", False), ("gitlab", False), ("git", True)):
        made = {"user": ada, "name": "x", "host": host, "secret": Secret("pass wörd"), "base_url": "https://g.example"}
        if fits:
            assert open_secret(add_credential(**made)).reveal() == "pass wörd"
        else:
            with pytest.raises(InvalidInput, match="no token has"):
                add_credential(**made)


def test_names_are_unique_for_an_owner_and_in_a_project(ada, bob, secret):
    add_credential(user=ada, name="x", host="github", secret=secret, project_id=PROJECT)
    add_credential(user=bob, name="x", host="github", secret=secret)
    with pytest.raises(Conflict) as own:
        add_credential(user=ada, name="x", host="gitlab", secret=secret)
    with pytest.raises(Conflict) as shared:
        add_credential(
            user=bob, name="y", host="github", secret=secret, project_id=add_shared(ada, secret, "y").project_id
        )
    assert "rotate x" in (own.value.hint or "")
    assert "project" in shared.value.message
    assert Credential.objects.count() == 3


def add_shared(user, secret, name):
    return add_credential(user=user, name=name, host="github", secret=secret, project_id=PROJECT)


def test_a_taken_name_is_known_before_a_host_is_asked(ada, bob, secret):
    add_shared(ada, secret, "x")
    for user, project, taken in ((ada, None, True), (bob, PROJECT, True), (bob, None, False), (bob, uuid4(), False)):
        row = new_credential(user=user, name="x", host="github", secret=secret, project_id=project)
        if taken:
            with pytest.raises(Conflict):
                require_free_name(row)
        else:
            require_free_name(row)
    assert Credential.objects.count() == 1


def test_an_inactive_user_adds_none(ada, secret):
    ada.is_active = False
    with pytest.raises(PermissionRefused):
        add_credential(user=ada, name="x", host="github", secret=secret)


def test_a_new_value_replaces_the_old_and_what_was_known_of_it(ada, secret):
    row = add_credential(user=ada, name="x", host="github", secret=secret)
    now = timezone.now()
    Credential.objects.update(account="ada", scopes=["repo"], expires_at=now, last_checked_at=now, last_used_at=now)
    replace_secret(credential=row, secret=Secret("another"))
    row = Credential.objects.get()
    assert open_secret(row).reveal() == "another"
    assert (row.account, row.scopes, row.expires_at, row.last_checked_at) == ("", None, None, None)
    assert row.last_used_at is not None


def test_a_value_that_is_given_while_the_credential_is_shared_opens_for_both_circles(ada, secret):
    row = add_credential(user=ada, name="x", host="github", secret=secret)
    share_credential(credential=Credential.objects.get(pk=row.pk), project_id=PROJECT)
    # Whoever gives it the value has read it before: the host was asked meanwhile.
    replace_secret(credential=row, secret=Secret("another"))
    assert row.project_id == PROJECT
    assert open_secret(Credential.objects.get()).reveal() == "another"


def test_what_was_removed_is_gone(ada, secret):
    row = add_credential(user=ada, name="x", host="github", secret=secret)
    remove_credential(credential=row)
    assert not Credential.objects.exists()
    with pytest.raises(NotFound):
        replace_secret(credential=Credential(pk=uuid4(), host="git", owner=ada), secret=secret)


def test_a_secret_that_is_stored_twice_is_a_conflict(ada, secret):
    row = new_credential(user=ada, name="x", host="github", secret=secret)
    store_credential(row, secret=secret)
    with pytest.raises(Conflict):
        store_credential(new_credential(user=ada, name="x", host="github", secret=secret), secret=secret)


@pytest.mark.parametrize(
    "changed",
    [
        {"base_url": "https://evil.example"},
        {"host": "gitlab"},
        {"project_id": uuid4()},
        {"owner": "bob"},
        {"ciphertext": "bob's"},
    ],
)
def test_a_row_that_was_changed_behind_our_back_does_not_open(ada, bob, secret, changed):
    """Whoever can write to the database can neither send a secret elsewhere nor use another's."""
    row = add_credential(user=ada, name="x", host="github", secret=secret)
    other = add_credential(user=bob, name="y", host="github", secret=Secret("bob's"))
    values = {**changed}
    if "owner" in values:
        values["owner"] = bob
    if "ciphertext" in values:
        values["ciphertext"] = other.ciphertext
    Credential.objects.filter(pk=row.pk).update(**values)
    with pytest.raises(CredentialUnreadable):
        open_secret(Credential.objects.get(pk=row.pk))


def test_what_is_not_bound_may_change(ada, secret, canary):
    row = add_credential(user=ada, name="x", host="github", secret=secret)
    Credential.objects.filter(pk=row.pk).update(name="y", username="other", account="z")
    assert open_secret(Credential.objects.get()).reveal() == canary
