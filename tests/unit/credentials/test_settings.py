"""Where the file of keys lies."""

from pathlib import Path

from backend.config.environment import read


def test_the_keys_lie_among_the_secrets():
    environment = read({"REPOMILL_DATA_DIR": "/srv/repomill"})
    assert environment.credential_keys_file == Path("/srv/repomill/secrets/credential_keys")
    assert not environment.credential_keys_given


def test_another_file_can_be_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    environment = read({"REPOMILL_DATA_DIR": "/srv", "REPOMILL_CREDENTIAL_KEYS_FILE": "keys"})
    assert environment.credential_keys_file == tmp_path / "keys"
    assert environment.credential_keys_given
