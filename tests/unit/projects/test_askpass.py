"""What git asks for a password, and who is answered."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from backend.apps.projects.hosts import askpass
from backend.apps.projects.hosts.askpass import answering, forms_of_secret
from backend.errors import ConfigurationError, InvalidInput


def ask(variables, question: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [variables["GIT_ASKPASS"], question],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def credential_file(tmp_path):
    path = tmp_path / "cred *"
    path.write_text("secret/CANARY+1")
    path.chmod(0o600)
    return path


def test_askpass_answers_for_its_origin_only(credential_file):
    with answering(origin="https://example.org:8443", username="git", credential_file=credential_file) as variables:
        assert ask(variables, "Username for 'https://example.org:8443': ").stdout == "git\n"
        assert ask(variables, "Password for 'https://git@example.org:8443': ").stdout == "secret/CANARY+1"
        for question in (
            "Username for 'https://evil.invalid': ",
            "Password for 'https://git@evil.invalid': ",
            "Password for 'https://git@example.org': ",
            "Password for 'https://git@example.org:8443.evil.invalid': ",
            "Password for 'http://git@example.org:8443': ",
            "Password for 'https://other@example.org:8443': ",
            "Password for 'https://git@example.org:8443': x",
            "*",
            "",
        ):
            refused = ask(variables, question)
            assert (refused.returncode, refused.stdout) == (1, "")
        assert "CANARY" not in str(variables)
        assert "CANARY" not in Path(variables["GIT_ASKPASS"]).read_text()
        assert Path(variables["GIT_ASKPASS"]).parent.stat().st_mode & 0o077 == 0
    assert not Path(variables["GIT_ASKPASS"]).exists()


def test_a_pattern_in_an_origin_is_taken_literally(credential_file):
    with answering(origin="https://*", username="git", credential_file=credential_file) as variables:
        assert ask(variables, "Password for 'https://git@evil.invalid': ").returncode == 1


@pytest.mark.parametrize("fault", ["readable by others", "missing", "link"])
def test_a_credential_file_must_be_private(tmp_path, credential_file, fault):
    path = credential_file
    if fault == "readable by others":
        path.chmod(0o640)
    elif fault == "missing":
        path = tmp_path / "nothing"
    else:
        path = tmp_path / "link"
        path.symlink_to(credential_file)
    for use in (
        lambda: answering(origin="https://h", username="git", credential_file=path).__enter__(),
        lambda: forms_of_secret(username="git", credential_file=path),
    ):
        with pytest.raises(ConfigurationError):
            use()


@pytest.mark.parametrize("username", ["", "a b", "a@b", "a:b", "a'b", "\u00fc"])
def test_a_user_name_with_odd_characters_is_refused(credential_file, username):
    with (
        pytest.raises(InvalidInput),
        answering(origin="https://h", username=username, credential_file=credential_file),
    ):
        pass  # pragma: no cover


def test_every_spelling_of_a_secret_is_known(credential_file):
    forms = forms_of_secret(username="git", credential_file=credential_file)
    assert {"secret/CANARY+1", "secret%2FCANARY%2B1", "c2VjcmV0L0NBTkFSWSsx"} <= set(forms)
    assert "Z2l0OnNlY3JldC9DQU5BUlkrMQ==" in forms
    assert "CANARY" not in askpass.PROGRAM
