"""The names under which downloads are kept."""

from __future__ import annotations

import re
from email.message import Message
from urllib.parse import unquote

import pytest

from backend.api.download_names import attachment, safe_name
from tests.corpus import rows

PLAIN = r'attachment; filename="[A-Za-z0-9._+@-]{1,200}"'
HARMLESS = re.compile(PLAIN + r"(?:; filename\*=UTF-8''[A-Za-z0-9._~%-]{1,1000})?")


def parsed(header: str) -> tuple[str, str]:
    """Return the plain name and the full one, as a client understands them."""
    message = Message()
    message["Content-Disposition"] = header.partition("; filename*=")[0]
    plain = str(message.get_param("filename", header="Content-Disposition"))
    full = unquote(header.partition("filename*=UTF-8''")[2]) or plain
    return plain, full


def test_the_corpus():
    names = [row for row in rows("own/download_names") if "name" not in row]
    assert len(names) > 10
    for row in names:
        given = row["value"] if "gen" not in row else row["gen"]["repeat"] * row["gen"]["count"] + row["gen"]["suffix"]
        header = attachment(given, ending=".zip")
        assert HARMLESS.fullmatch(header), row["id"]
        for name in parsed(header):
            assert name.endswith(".zip"), row["id"]
            assert len(name.encode()) <= 255, row["id"]
            assert name not in {".zip", "..zip"}
            assert not name.startswith(("-", ".")), row["id"]
            assert not set(name) & set("/\\\"'<>\r\n\0;%*:\u202e"), row["id"]


@pytest.mark.parametrize(
    ("given", "plain", "full"),
    [
        ("Mill", "Mill.zip", "Mill.zip"),
        ("My Mill", "My-Mill.zip", "My-Mill.zip"),
        ("Mill.zip", "Mill.zip", "Mill.zip"),
        ("日本", "download.zip", "日本.zip"),
        ("Müller & Söhne", "Mller-Shne.zip", "Müller-Söhne.zip"),
        ("con", "_con.zip", "_con.zip"),
        ("LPT1.x", "_LPT1.x.zip", "_LPT1.x.zip"),
        ("", "download.zip", "download.zip"),
        ("a" * 5000, "a" * 120 + ".zip", "a" * 120 + ".zip"),
        ("日" * 5000, "download.zip", "日" * 65 + ".zip"),
        ("e\u0301", "download.zip", "\u00e9.zip"),
    ],
)
def test_both_names(given, plain, full):
    assert parsed(attachment(given, ending=".zip")) == (plain, full)


def test_the_plain_name_can_be_given():
    assert parsed(attachment("日本", ending=".tar.gz", plain="nippon-1")) == ("nippon-1.tar.gz", "日本.tar.gz")
    assert HARMLESS.fullmatch(attachment("日本", ending=".zip", plain='a"\r\nb'))


def test_a_name_without_an_ending():
    assert attachment("main.py") == 'attachment; filename="main.py"'
    assert safe_name("../../etc/passwd") == "etc-passwd"
