"""A random token goes through everything this app does with it, and is then found nowhere that anybody can look."""

from __future__ import annotations

import base64
import io
import logging
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from backend.apps.authentication.models import User
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services import keyring
from backend.apps.credentials.services.check import check_credential
from backend.apps.credentials.services.keeping import add_credential, replace_secret
from backend.apps.credentials.services.rotation import reencrypt
from backend.apps.credentials.services.sealing import open_tokens, seal_tokens
from backend.apps.credentials.services.secrets import open_secret, secret_file
from backend.errors import RepomillError
from tests.canaries import encodings, require_absent
from tests.corpus import rows
from tests.unit.credentials.host_server import Reply, github

pytestmark = pytest.mark.django_db

ADMIN = "/admin/credentials/"


def database() -> str:
    """Every column of every row of every table, as text and, for bytes, as hex, base64 and latin-1."""
    shown = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for value in (value for row in cursor.fetchall() for value in row):
                if isinstance(value, bytes | memoryview):
                    data = bytes(value)
                    shown += [data.hex(), base64.b64encode(data).decode(), data.decode("latin-1")]
                else:
                    shown.append(str(value))
    stream = io.StringIO()
    call_command("dumpdata", "credentials", stdout=stream)
    return "\n".join([*shown, stream.getvalue()])


def command_lines() -> str:
    """What the list of processes shows."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        # A process may end while its file is read.
        with suppress(OSError):
            found.append(file.read_text("latin-1").replace("\0", " "))
    assert found
    return "\n".join(found)


def everything(user, token: str, host, caplog) -> list[str]:
    """Do with a token what this app can do, in success and failure, and return what was said."""
    said: list[str] = []
    run = uuid4()
    row = add_credential(user=user, name=f"c{run.hex[:8]}", host="github", secret=Secret(token), base_url=host.url)
    host.replies = github()
    said.append(repr(check_credential(row)))
    host.replies = {"/api/v3/user": Reply({"login": token, "message": token}, 401, {"X-Echo": token})}
    said.append(failure(lambda: check_credential(row)))
    host.replies = {"/api/v3/user": Reply({"login": token}, 200, {"X-OAuth-Scopes": token})}
    said.append(failure(lambda: check_credential(row)))
    secret = open_secret(row)
    with secret_file(row) as path:
        said += [command_lines(), Path("/proc/self/environ").read_text("latin-1"), str(path)]
    assert not path.exists()
    sealed = seal_tokens({"github_token": token, "data": {"password": token}}, execution_id=run)
    said += [str(sealed), str(open_tokens(sealed, execution_id=run)), repr(secret), str(row), repr(row)]
    said.append(failure(lambda: seal_tokens({"token": token, "url": f"https://{token}@h/"}, execution_id=run)))
    keyring.add_key()
    said += [str(step) for step in reencrypt()]
    replace_secret(credential=row, secret=open_secret(row))
    assert open_secret(Credential.objects.get(pk=row.pk)).reveal() == token
    Credential.objects.filter(pk=row.pk).update(base_url="https://evil.example")
    said.append(failure(lambda: open_secret(Credential.objects.get(pk=row.pk))))
    return [*said, caplog.text]


def failure(act) -> str:
    with pytest.raises(RepomillError) as failed:
        act()
    error = failed.value
    return f"{error}{error!r}{error.as_json()}{error.__cause__!r}{error.__context__!r}"


def test_no_place_shows_it(ada, host, canary, caplog, client, settings, tmp_path):
    caplog.set_level(logging.DEBUG)
    for text in everything(ada, canary, host, caplog):
        require_absent(text, canary, "what was said")
    require_absent(database(), canary, "the database")
    for file in (file for folder in (tmp_path, Path(settings.DATA_DIR)) for file in folder.rglob("*")):
        if file.is_file():
            require_absent(file.read_bytes().decode("latin-1"), canary, str(file))
    admin = User.objects.create_superuser("root", password="long enough to pass")
    client.force_login(admin)
    row = Credential.objects.get()
    for page in ("credential/", f"credential/{row.pk}/change/", f"credential/{row.pk}/history/", "credential/?q=c"):
        answer = client.get(ADMIN + page)
        assert answer.status_code == 200, page
        require_absent(answer.content.decode(), canary, page)
        require_absent(answer.content.decode(), base64.b64encode(bytes(row.ciphertext)).decode()[:60], page)


def test_the_admin_neither_adds_nor_changes(ada, secret, client):
    row = add_credential(user=ada, name="x", host="github", secret=secret)
    client.force_login(User.objects.create_superuser("root", password="long enough to pass"))
    assert client.get(f"{ADMIN}credential/add/").status_code == 403
    assert client.post(f"{ADMIN}credential/{row.pk}/change/", {"name": "y"}).status_code == 403
    assert client.get(f"{ADMIN}sealedsecret/").status_code == 404
    assert client.post(f"{ADMIN}credential/{row.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Credential.objects.exists()


def test_the_models_are_all_looked_at():
    """A new column of this app must be thought about: would it ever hold, or show, a secret?"""
    columns = {field.name for model in apps.get_app_config("credentials").get_models() for field in model._meta.fields}
    assert columns == {
        *("id", "name", "host", "base_url", "username", "owner", "project_id", "ciphertext", "key_id", "account"),
        *("scopes", "expires_at", "last_checked_at", "last_used_at", "created_at", "updated_at", "execution_id"),
    }


def test_the_search_finds_what_it_looks_for(canary):
    for name, form in encodings(canary).items():
        with pytest.raises(AssertionError):
            require_absent(f"...{form.upper()}...", canary, name)


def test_the_canaries_of_the_corpus(ada, host, caplog):
    caplog.set_level(logging.DEBUG)
    tokens = [row["prefix"] + row["body"] for row in rows("own/secret_canaries") if "prefix" in row]
    assert len(tokens) == 10
    for token in tokens:
        caplog.clear()
        for text in everything(ada, token, host, caplog):
            require_absent(text, token, "what was said")
        require_absent(database(), token, "the database")
