"""What is encrypted opens with its key, in its row, unchanged; and in no other way."""

from dataclasses import replace

import pytest
from django.db.transaction import TransactionManagementError

from backend.apps.credentials.errors import CredentialKeyMissing, CredentialUnreadable
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services import keyring
from backend.apps.credentials.services.encryption import Encrypted, decrypt, encrypt

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("value", ["x", "päss wörd 🔑", "p" * 10_000])
def test_it_opens(value):
    encrypted = encrypt(Secret(value), bound_to=b"row")
    assert decrypt(encrypted, bound_to=b"row").reveal() == value
    assert value.encode() not in encrypted.ciphertext or len(value) == 1


def test_the_same_value_never_looks_the_same(secret):
    assert encrypt(secret, bound_to=b"row").ciphertext != encrypt(secret, bound_to=b"row").ciphertext


def test_another_row_cannot_open_it(secret):
    with pytest.raises(CredentialUnreadable) as refused:
        decrypt(encrypt(secret, bound_to=b"row"), bound_to=b"other row")
    assert refused.value.hint


@pytest.mark.parametrize("place", [0, 1, 12, 13, -1])
def test_a_changed_byte_is_noticed(secret, place):
    encrypted = encrypt(secret, bound_to=b"row")
    changed = bytearray(encrypted.ciphertext)
    changed[place] ^= 1
    with pytest.raises(CredentialUnreadable):
        decrypt(replace(encrypted, ciphertext=bytes(changed)), bound_to=b"row")


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01" + b"n" * 12, b"\x01" + b"n" * 13])
def test_what_is_too_short_is_unreadable(data):
    key = keyring.load(create=True).newest
    with pytest.raises(CredentialUnreadable):
        decrypt(Encrypted(key.id, data), bound_to=b"row")


def test_an_older_key_opens_and_the_newest_encrypts(secret, canary):
    old = encrypt(secret, bound_to=b"row")
    newest = keyring.add_key()
    assert decrypt(old, bound_to=b"row").reveal() == canary
    assert encrypt(secret, bound_to=b"row").key_id == newest.id


def test_without_its_key_it_stays_closed(secret, keys_file):
    encrypted = encrypt(secret, bound_to=b"row")
    keyring.add_key()
    keyring.drop_keys(but=[])
    with pytest.raises(CredentialKeyMissing):
        decrypt(encrypted, bound_to=b"row")
    keys_file.unlink()
    with pytest.raises(CredentialKeyMissing, match="is not there"):
        decrypt(encrypted, bound_to=b"row")
    assert not keys_file.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_encrypted_outside_of_the_transaction_that_stores_it(secret):
    with pytest.raises(TransactionManagementError):
        encrypt(secret, bound_to=b"row")
