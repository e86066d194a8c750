"""Encrypting everything anew: in batches, interruptible, and honest about what does not open."""

from threading import Thread
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.signals import pre_save

from backend.apps.credentials.models import Credential, SealedSecret
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services import adding, keyring, rotation
from backend.apps.credentials.services.encryption import decrypt
from backend.apps.credentials.services.host_answers import Finding
from backend.apps.credentials.services.keeping import add_credential, replace_secret
from backend.apps.credentials.services.rotation import Progress, drop_unused_keys, reencrypt
from backend.apps.credentials.services.sealed_secrets import seal, unseal
from backend.apps.credentials.services.secrets import open_secret

pytestmark = pytest.mark.django_db

RUN = uuid4()


@pytest.fixture
def rows(ada):
    return [add_credential(user=ada, name=f"c{n}", host="github", secret=Secret(f"value-{n}")) for n in range(5)]


def test_everything_gets_the_newest_key_and_keeps_its_value(rows):
    reference = seal("sealed-value", execution_id=RUN)
    newest = keyring.add_key()
    steps = list(reencrypt(batch=2))
    assert [(step.done, step.total) for step in steps] == [(0, 6), (2, 6), (4, 6), (5, 6), (6, 6)]
    assert {row.key_id for model in (Credential, SealedSecret) for row in model.objects.all()} == {newest.id}
    assert {open_secret(row).reveal() for row in Credential.objects.all()} == {f"value-{n}" for n in range(5)}
    assert unseal(reference, execution_id=RUN).reveal() == "sealed-value"


def test_it_goes_on_where_it_was_interrupted(rows):
    keyring.add_key()
    steps = reencrypt(batch=2)
    assert [next(steps).done, next(steps).done] == [0, 2]
    del steps
    assert list(reencrypt(batch=2))[-1] == Progress(3, 3)
    assert list(reencrypt()) == [Progress(0, 0)]


def test_what_is_done_is_left_alone(rows):
    before = set(Credential.objects.values_list("ciphertext", flat=True))
    assert list(reencrypt()) == [Progress(0, 0)]
    assert set(Credential.objects.values_list("ciphertext", flat=True)) == before


def test_what_does_not_open_is_named_and_left_as_it_was(rows):
    Credential.objects.filter(name="c1").update(key_id="lost")
    Credential.objects.filter(name="c3").update(base_url="https://evil.example")
    keyring.add_key()
    last = list(reencrypt(batch=2))[-1]
    assert (last.done, last.total, sorted(last.unreadable)) == (5, 5, ["c1", "c3"])
    assert Credential.objects.get(name="c1").key_id == "lost"
    assert open_secret(Credential.objects.get(name="c2")).reveal() == "value-2"


def test_a_value_that_was_given_meanwhile_stays(rows, monkeypatch):
    """Given a row that is read, when somebody replaces its value before it is written, then the new value wins."""
    newest = keyring.add_key()
    real = decrypt

    def slow(encrypted, *, bound_to):
        secret = real(encrypted, bound_to=bound_to)
        if secret.reveal() == "value-0":
            replace_secret(credential=Credential.objects.get(name="c0"), secret=Secret("newer"))
        return secret

    monkeypatch.setattr(rotation, "decrypt", slow)
    list(reencrypt())
    row = Credential.objects.get(name="c0")
    assert open_secret(row).reveal() == "newer"
    assert row.key_id == newest.id


def test_only_keys_that_nothing_needs_are_dropped(rows):
    old = keyring.load(create=False).newest.id
    newest = keyring.add_key().id
    assert drop_unused_keys() == 0
    list(reencrypt())
    assert drop_unused_keys() == 1
    assert [key.id for key in keyring.load(create=False).keys] == [newest]
    assert old != newest
    assert open_secret(rows[0].__class__.objects.get(name="c0")).reveal() == "value-0"


def test_with_nothing_stored_there_is_nothing_to_do(keys_file):
    assert list(reencrypt()) == [Progress(0, 0)]
    assert keys_file.exists()


def test_a_key_that_is_dropped_while_the_host_is_asked_is_not_used(ada, monkeypatch):
    def ask(**_):
        keyring.add_key()
        list(reencrypt())
        drop_unused_keys()
        return Finding()

    monkeypatch.setattr(adding, "ask_host", ask)
    row = adding.add_checked(
        user=ada,
        name="new",
        host="github",
        secret=Secret("value"),
        base_url=None,
        username=None,
        project_id=None,
        check_with_host=True,
    )
    assert open_secret(Credential.objects.get(pk=row.pk)).reveal() == "value"


@pytest.fixture
def keys_change_before_the_row(keys_file):
    """Let a key be added and all others be dropped between the encryption of a row and its first being written."""
    keyring.load(create=True)
    started: list[Thread] = []

    def change() -> None:
        try:
            keyring.add_key()
            list(reencrypt())
            drop_unused_keys()
        finally:
            connection.close()

    def begin(sender: type, **_: object) -> None:
        if sender in (Credential, SealedSecret) and not started:
            started.append(Thread(target=change))
            started[0].start()
            # It may have to wait for who writes: then it goes on once that is done.
            started[0].join(2)

    pre_save.connect(begin)
    yield lambda: started[0].join()
    pre_save.disconnect(begin)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["credential", "sealed"])
def test_no_key_is_dropped_while_something_is_encrypted_with_it(ada, keys_change_before_the_row, kind):
    if kind == "credential":
        add_credential(user=ada, name="new", host="github", secret=Secret("value"))
        keys_change_before_the_row()
        assert open_secret(Credential.objects.get()).reveal() == "value"
    else:
        reference = seal("value", execution_id=RUN)
        keys_change_before_the_row()
        assert unseal(reference, execution_id=RUN).reveal() == "value"
