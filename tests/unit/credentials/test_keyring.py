"""The file of keys: made once, private, read anew when it changes, and clear about what is wrong with it."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.apps.credentials.errors import CredentialKeyMissing
from backend.apps.credentials.services import keyring
from backend.errors import ConfigurationError


def line(byte: int) -> str:
    return base64.b64encode(bytes([byte]) * 32).decode()


def write(path, *lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


def test_it_is_made_at_first_use_and_is_private(keys_file):
    ring = keyring.load(create=True)
    assert len(ring.keys) == 1
    assert stat.S_IMODE(keys_file.stat().st_mode) == 0o600
    assert keyring.load(create=True).keys == ring.keys
    assert len(ring.newest.material) == 32


def test_those_who_start_together_agree(keys_file):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: keyring.load(create=True).newest.id, range(32)))) == 1


def test_a_key_shows_itself_nowhere(keys_file):
    ring = keyring.load(create=True)
    assert keys_file.read_text().strip() not in repr(ring)
    assert repr(ring.newest.material) not in repr(ring)


def test_what_decrypts_makes_no_file(keys_file):
    with pytest.raises(CredentialKeyMissing, match="is not there") as missing:
        keyring.load(create=False)
    assert missing.value.hint
    assert not keys_file.exists()


def test_a_file_that_was_named_is_not_made(keys_file, settings):
    settings.CREDENTIAL_KEYS_GIVEN = True
    with pytest.raises(CredentialKeyMissing):
        keyring.load(create=True)
    assert not keys_file.exists()


def test_the_newest_comes_first_and_comments_and_empty_lines_are_skipped(keys_file):
    write(keys_file, "# made in January", line(2), "", line(1).replace("+", "-").rstrip("="))
    ring = keyring.load(create=False)
    assert [key.material[0] for key in ring.keys] == [2, 1]
    assert ring.newest is ring.keys[0]
    assert ring.get(ring.keys[1].id) is ring.keys[1]


def test_the_id_comes_from_the_key(keys_file):
    write(keys_file, line(1))
    first = keyring.load(create=False).newest.id
    write(keys_file, line(2), line(1))
    assert keyring.load(create=False).keys[1].id == first
    assert keyring.load(create=False).newest.id != first


def test_a_changed_file_is_read_anew(keys_file):
    before = keyring.load(create=True)
    added = keyring.add_key()
    assert [key.id for key in keyring.load(create=False).keys] == [added.id, before.newest.id]
    assert stat.S_IMODE(keys_file.stat().st_mode) == 0o600


def test_many_can_add_at_once(keys_file):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: keyring.add_key(), range(8)))
    assert len({key.id for key in keyring.load(create=False).keys}) == 8
    assert [file.name for file in keys_file.parent.iterdir()] == ["credential_keys"]


def test_a_lost_key_is_named(keys_file):
    with pytest.raises(CredentialKeyMissing, match="0123456789ab") as missing:
        keyring.load(create=True).get("0123456789ab")
    assert missing.value.code == "credential_key_missing"
    assert "rotate NAME" in (missing.value.hint or "")


def test_keys_that_nobody_needs_are_dropped(keys_file):
    write(keys_file, "# comment", line(3), line(2), line(1))
    needed = keyring.load(create=False).keys[2].id
    assert keyring.drop_keys(but=[needed]) == 1
    assert keys_file.read_text().splitlines() == ["# comment", line(3), line(1)]
    assert keyring.drop_keys(but=[needed]) == 0


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_that_is_open_to_others_is_refused(keys_file, mode):
    write(keys_file, line(1))
    keys_file.chmod(mode)
    with pytest.raises(ConfigurationError, match="others") as refused:
        keyring.load(create=False)
    assert str(keys_file) in (refused.value.hint or "")


def test_a_containers_secrets_may_be_read_by_others_and_not_written(keys_file, monkeypatch):
    write(keys_file, line(1))
    monkeypatch.setattr(keyring, "MOUNTED_SECRETS", keys_file.parent)
    keys_file.chmod(0o444)
    assert keyring.load(create=False).newest.material[0] == 1
    keys_file.chmod(0o446)
    with pytest.raises(ConfigurationError, match="open to others"):
        keyring.load(create=False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no key"),
        (b"# only a comment\n", "holds no key"),
        (b"\xff\xfe", "holds no key"),
        (b"c2hvcnQ=\n", "is no key"),
        (b"not base64 at all!\n", "is no key"),
        (line(1).encode() + b"\nCANARY\n", "is no key"),
    ],
)
def test_a_file_without_good_keys_is_refused_and_not_repeated(keys_file, content, said):
    write(keys_file)
    keys_file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as refused:
        keyring.load(create=False)
    assert "CANARY" not in str(refused.value.as_json())
    assert refused.value.hint or refused.value.place["line"]


def test_a_folder_in_the_files_place_is_refused(keys_file):
    keys_file.mkdir(parents=True, mode=0o700)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        keyring.load(create=False)


def test_a_path_that_leads_through_a_file_is_refused(keys_file, settings):
    write(keys_file, line(1))
    settings.CREDENTIAL_KEYS_FILE = keys_file / "below"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        keyring.load(create=False)


def test_a_file_that_cannot_be_written_says_what_to_do(keys_file, monkeypatch):
    def refuse(path, content):
        raise OSError(30, os.strerror(30))

    write(keys_file, line(1))
    monkeypatch.setattr(keyring, "write_private", refuse)
    with pytest.raises(ConfigurationError, match="Read-only file system") as refused:
        keyring.add_key()
    assert "openssl rand" in (refused.value.hint or "")
