"""Kinds of hosts: their addresses and where their API is."""

import pytest

from backend.apps.credentials.hosts import HOSTS, api_url, canonical_base_url, host_kind
from backend.apps.credentials.models import Credential
from backend.errors import InvalidInput


def base_url(host, url, internal=()):
    return canonical_base_url(host=host, base_url=url, internal_hosts=internal)


@pytest.mark.parametrize(
    ("host", "url", "canonical", "api"),
    [
        ("github", None, "https://github.com", "https://api.github.com"),
        ("github", "https://GitHub.com/", "https://github.com", "https://api.github.com"),
        ("github", "https://api.github.com", "https://github.com", "https://api.github.com"),
        ("github", "https://acme.ghe.com", "https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("github", "https://api.acme.ghe.com", "https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("github", "https://git.acme.org", "https://git.acme.org", "https://git.acme.org/api/v3"),
        ("github", "https://git.acme.org/api/v3/", "https://git.acme.org", "https://git.acme.org/api/v3"),
        ("github", "https://evilghe.com", "https://evilghe.com", "https://evilghe.com/api/v3"),
        ("gitlab", None, "https://gitlab.com", "https://gitlab.com/api/v4"),
        ("gitlab", "https://acme.org/gitlab", "https://acme.org/gitlab", "https://acme.org/gitlab/api/v4"),
        ("gitlab", "https://acme.org/api/v4", "https://acme.org", "https://acme.org/api/v4"),
    ],
)
def test_addresses(host, url, canonical, api):
    assert base_url(host, url) == canonical
    assert api_url(host=host, base_url=canonical) == api


@pytest.mark.parametrize(
    ("host", "url", "field"),
    [
        ("bitbucket", None, "host"),
        ("git", None, "base_url"),
        ("github", "http://github.com", "base_url"),
        ("github", "https://github.com/acme", "base_url"),
        ("gitlab", "https://gitlab.com/acme", "base_url"),
        ("gitlab", "https://10.0.0.1", "base_url"),
        ("git", "https://me:CANARY@git.acme.org", "base_url"),
    ],
)
def test_what_is_refused_says_what_is_expected_and_repeats_no_password(host, url, field):
    with pytest.raises(InvalidInput) as refused:
        base_url(host, url)
    assert refused.value.place["field"] == field
    assert refused.value.hint or refused.value.place["expected"]
    assert "CANARY" not in str(refused.value.as_json())


def test_this_machine_is_a_host_where_the_operator_says_so():
    assert base_url("git", "http://localhost:3000", ["localhost"]) == "http://localhost:3000"


def test_git_has_no_api():
    with pytest.raises(InvalidInput, match="no API"):
        api_url(host="git", base_url="https://git.acme.org")


def test_the_kinds_are_those_of_the_model():
    assert list(HOSTS) == Credential.Host.values
    assert [host_kind(name).username for name in HOSTS] == ["x-access-token", "oauth2", "git"]
