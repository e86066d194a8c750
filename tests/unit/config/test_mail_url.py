"""How the mail server is named, and that a mail gets there."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from django.core.mail import get_connection, send_mail

from backend.config.environment import read
from backend.config.mail_url import mail_settings
from backend.errors import ConfigurationError

FROM = "repomill@example.org"


@pytest.mark.parametrize(
    ("url", "port", "user", "password", "ssl", "starttls"),
    [
        (f"smtps://ada:pass%40word@mail.example.org?from={FROM}", 465, "ada", "pass@word", True, False),
        (f"smtp://ada:secret@mail.example.org?from={FROM}", 587, "ada", "secret", False, True),
        (f"smtp://mail.example.org:25/?from={FROM}&tls=no", 25, "", "", False, False),
    ],
)
def test_every_form_is_read(url, port, user, password, ssl, starttls):
    assert read({"REPOMILL_MAIL_URL": url}).mail_url == url
    assert mail_settings(url) == {
        "EMAIL_TIMEOUT": 10,
        "EMAIL_HOST": "mail.example.org",
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": user,
        "EMAIL_HOST_PASSWORD": password,
        "EMAIL_USE_SSL": ssl,
        "EMAIL_USE_TLS": starttls,
        "DEFAULT_FROM_EMAIL": FROM,
    }


def test_without_one_only_the_wait_for_a_server_is_bounded():
    assert mail_settings("") == {"EMAIL_TIMEOUT": 10}


def test_it_can_lie_in_a_file(tmp_path: Path):
    file = tmp_path / "url"
    file.write_text(f"smtps://ada:secret@mail.example.org?from={FROM}\n")
    assert read({"REPOMILL_MAIL_URL_FILE": str(file)}).mail_url.startswith("smtps://ada:secret@")


@pytest.mark.parametrize(
    "url",
    [
        *("hunter2", "smtp://hunter2", "smtps://mail.example.org", f"https://mail.example.org?from={FROM}"),
        *(f"smtps://ada@mail.example.org?from={FROM}", "smtps://mail.example.org?from=nobody"),
        *(f"smtp://ada:hunter2@mail?from={FROM}&tls=no", f"smtps://mail?from={FROM}&tls=no"),
        *(f"smtp://mail?from={FROM}&tls=maybe", f"smtp://mail?from={FROM}&cc=x@y", f"smtp://mail/x?from={FROM}"),
        *(f"smtp://mail:99999?from={FROM}", f"smtp://[mail?from={FROM}", f"smtp://?from={FROM}"),
    ],
)
def test_what_makes_no_sense_is_refused_without_being_shown(url):
    with pytest.raises(ConfigurationError, match="REPOMILL_MAIL_URL") as raised:
        read({"REPOMILL_MAIL_URL": url})
    assert "hunter2" not in f"{raised.value} {raised.value.hint} {raised.value.place}"


def test_a_mail_goes_to_the_server_that_is_named(settings):
    heard: list[str] = []

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rw", newline="\r\n") as lines:
            for answer in ("220 here", "250 hello", "250 from", "250 to", "354 go on"):
                lines.write(f"{answer}\r\n")
                lines.flush()
                heard.append(lines.readline().strip())
            while (line := lines.readline().strip()) != ".":
                heard.append(line)
            lines.write("250 taken\r\n221 bye\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=[listening])
        thread.start()
        url = f"smtp://127.0.0.1:{listening.getsockname()[1]}?from={FROM}&tls=no"
        for name, value in mail_settings(url).items():
            setattr(settings, name, value)
        smtp = get_connection("django.core.mail.backends.smtp.EmailBackend")
        assert send_mail("It has failed", "See.", None, ["ops@example.org"], connection=smtp) == 1
        thread.join()
    assert f"From: {FROM}" in heard
    assert "Subject: It has failed" in heard
