"""Which web addresses are understood, and which may be talked to."""

import pytest

from backend.origins import is_internal, is_public, objection, read_web_address


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://git.example.org", "https://git.example.org"),
        ("HTTPS://Git.Example.org:443/", "https://git.example.org"),
        ("https://git.example.org:8443/Team/", "https://git.example.org:8443/Team"),
        ("http://localhost:080", "http://localhost"),
        ("http://[::1]:3000/x", "http://[::1]:3000/x"),
    ],
)
def test_an_address_has_one_spelling(url, canonical):
    found = read_web_address(url)
    assert found is not None
    assert found.url == canonical


@pytest.mark.parametrize(
    "url",
    [
        "",
        "git.example.org",
        "ftp://git.example.org",
        "https://",
        "https://user:pass@git.example.org",
        "https://git.example.org?x=1",
        "https://git.example.org/#x",
        "https://git.example.org/../x",
        "https://git.example.org/./x",
        "https://git.example.org//x",
        "https://git.example.org/%2e%2e",
        "https://git.example.org\\@evil.example",
        "https://git.example.org:0",
        "https://git.example.org:65536",
        "https://git.example.org.",
        "https://gít.example.org",
        "https://git..example.org",
        "https://" + "x" * 64 + ".example.org",
        "https://git.example.org/\n",
        " https://git.example.org",
        "https://git.example.org/" + "x" * 1000,
    ],
)
def test_what_could_mean_two_things_is_no_address(url):
    assert read_web_address(url) is None


@pytest.mark.parametrize(
    ("url", "allowed", "why"),
    [
        ("https://git.example.org", [], None),
        ("http://git.example.org", ["git.example.org"], "https only"),
        ("http://localhost:3000", [], "not allowed"),
        ("http://localhost:3000", ["localhost"], None),
        ("https://10.0.0.1", [], "not allowed"),
        ("https://2130706433", [], "not allowed"),
        ("https://[fd00::1]", ["[fd00::1]"], None),
        ("http://10.0.0.1", ["10.0.0.1"], "https only"),
    ],
)
def test_what_may_be_talked_to(url, allowed, why):
    address = read_web_address(url)
    assert address is not None
    said = objection(address, internal_hosts=allowed)
    assert said is None if why is None else why in (said or "")


@pytest.mark.parametrize(("host", "internal"), [("git.example.org", False), ("1.1.1.1", True), ("x.0x7f", True)])
def test_internal(host, internal):
    assert is_internal(host) is internal


@pytest.mark.parametrize(
    ("ip", "public"),
    [
        ("140.82.121.4", True),
        ("2606:50c0:8000::64", True),
        ("10.1.2.3", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:140.82.121.4", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_public_addresses(ip, public):
    assert is_public(ip) is public
