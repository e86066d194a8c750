"""Opening credentials, and the files that programs read them from."""

import os
import signal
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services import private_files
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.credentials.services.secrets import open_secret, secret_file
from backend.apps.projects.hosts.askpass import answering, forms_of_secret
from backend.errors import ConfigurationError


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in the place of the machine's own, so that only these tests' files are seen."""
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(private_files, "MEMORY", folder)
    return folder


def root(memory: Path) -> Path:
    return memory / f"repomill-{os.getuid()}"


@pytest.fixture
def row(ada, secret) -> Credential:
    return add_credential(user=ada, name="x", host="github", secret=secret)


@pytest.mark.django_db
def test_the_use_is_noted_to_the_minute(row, django_assert_num_queries):
    open_secret(row)
    first = Credential.objects.get().last_used_at
    assert first is not None
    assert row.last_used_at == first
    open_secret(row)
    assert Credential.objects.get().last_used_at == first
    Credential.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    open_secret(row)
    used = Credential.objects.get().last_used_at
    assert used is not None
    assert used > first
    with django_assert_num_queries(0):
        open_secret(row, used=False)


@pytest.mark.django_db
def test_a_credentials_file_holds_the_secret_and_nothing_else(row, canary):
    with secret_file(row) as path:
        assert path.read_bytes() == canary.encode()
    assert Credential.objects.get().last_used_at is not None


def test_the_file_is_private_and_in_memory_and_goes_with_the_block(secret, memory):
    with secret_file(secret) as path:
        assert path.is_relative_to(memory)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for folder in (path.parent, root(memory)):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not path.parent.exists()
    assert list(root(memory).iterdir()) == []


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, SystemExit])
def test_it_goes_with_the_block_however_that_ends(secret, memory, raised):
    with pytest.raises(raised), secret_file(secret):
        raise raised
    assert list(root(memory).iterdir()) == []


def test_what_git_asks_for_is_there(secret, canary):
    """The file serves the program that answers git."""
    with (
        secret_file(secret) as path,
        answering(origin="https://h", username="x-access-token", credential_file=path) as variables,
    ):
        asked = ["Password for 'https://x-access-token@h': "]
        said = subprocess.run([variables["GIT_ASKPASS"], *asked], env=dict(variables), capture_output=True, check=True)
        assert said.stdout.decode() == canary
        assert canary in forms_of_secret(username="x-access-token", credential_file=path)
        assert canary not in str(variables)


def test_many_at_once_do_not_meet(secret, canary):
    with secret_file(secret) as one, secret_file(Secret("another")) as other:
        assert (one.read_text(), other.read_text()) == (canary, "another")
        assert one.parent != other.parent


HOLD = """
import sys, time
from pathlib import Path
import django
django.setup()
from backend.apps.credentials.services import private_files
from backend.apps.credentials.services.secrets import Secret, secret_file
private_files.MEMORY = Path(sys.argv[1])
with secret_file(Secret("left-behind")) as path:
    print(path, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_removed_by_the_next_and_a_living_ones_is_not(secret, memory):
    def start():
        variables = {**os.environ, "DJANGO_SETTINGS_MODULE": "backend.config.settings.test"}
        command = [sys.executable, "-c", HOLD, str(memory)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables)
        return process, Path((process.stdout or sys.stdin).readline().strip())

    (killed, left), (living, kept) = start(), start()
    with living, killed:
        try:
            killed.send_signal(signal.SIGKILL)
            killed.wait()
            assert left.read_text() == "left-behind"
            with secret_file(secret) as path:
                assert not left.parent.exists()
                assert kept.read_text() == "left-behind"
                assert {folder.name for folder in root(memory).iterdir()} == {path.parent.name, kept.parent.name}
        finally:
            living.communicate()
    assert list(root(memory).iterdir()) == []


def test_a_folder_that_somebody_else_took_is_not_used(secret, memory, settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    root(memory).mkdir(mode=0o777)
    root(memory).chmod(0o777)
    with secret_file(secret) as path:
        assert path.is_relative_to(tmp_path / "data")
    assert list(root(memory).iterdir()) == []


def test_a_link_in_its_place_is_not_followed(secret, memory, settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    root(memory).symlink_to(tmp_path / "elsewhere")
    with secret_file(secret) as path:
        assert path.is_relative_to(tmp_path / "data")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_memory_the_data_folder_serves(secret, monkeypatch, settings, tmp_path):
    monkeypatch.setattr(private_files, "MEMORY", tmp_path / "none")
    settings.DATA_DIR = tmp_path / "data"
    with secret_file(secret) as path:
        assert path.is_relative_to(tmp_path / "data" / "secret-files")


def test_no_private_place_is_an_error(secret, monkeypatch, settings, tmp_path):
    monkeypatch.setattr(private_files, "MEMORY", tmp_path / "none")
    settings.DATA_DIR = tmp_path / "data"
    (tmp_path / "data" / "secret-files").mkdir(parents=True, mode=0o755)
    with pytest.raises(ConfigurationError, match="not this user's alone"), secret_file(secret):
        pass
    (tmp_path / "file").write_text("")
    settings.DATA_DIR = tmp_path / "file"
    with pytest.raises(ConfigurationError, match="no private place"), secret_file(secret):
        pass


def test_what_disappears_while_it_is_looked_at_is_no_leftover(secret, memory, monkeypatch):
    with secret_file(secret):
        pass
    monkeypatch.setattr(Path, "iterdir", lambda self: iter([self / "gone"]))
    with secret_file(secret) as path:
        assert path.exists()
