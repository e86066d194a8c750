"""What may be asked of GitHub and GitLab, and where their addresses are."""

from __future__ import annotations

import pytest

from backend.apps.credentials.secret import Secret
from backend.apps.projects.hosts import github, gitlab
from backend.apps.projects.hosts.addresses import Site
from backend.apps.projects.hosts.github import GitHubApi
from backend.apps.projects.hosts.gitlab import GitLabApi
from backend.apps.projects.hosts.tokens import as_token
from backend.apps.projects.hosts.wishes import Wish
from backend.errors import InvalidInput

TOKEN = Secret("some-token")


def accepted(api, **wanted) -> bool:
    try:
        api(wish=Wish(**{"name": "x", **wanted}), token=TOKEN)
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize("name", ["hello", "a.b_c-d", "x" * 100, "A1", "wikis2", "1"])
def test_ordinary_names(name):
    assert accepted(GitHubApi, name=name)
    assert accepted(GitLabApi, name=name)


@pytest.mark.parametrize(
    "name",
    ["a b", "../x", "a/../b", "x?y", "x#y", "%2e%2e", "\u00c5str\u00f6m", "a\nb", "x\n", "..", "x" * 101, "\u017f"],
)
def test_names_that_would_mean_something_else(name):
    assert not accepted(GitHubApi, name=name)
    assert not accepted(GitLabApi, name=name)


@pytest.mark.parametrize(
    ("owner", "on_github", "on_gitlab"),
    [
        ("acme", True, True),
        ("acme-2", True, True),
        ("acme_corp", True, True),
        ("team/platform/tools", False, True),
        ("team//x", False, False),
        ("/team", False, False),
        ("team/", False, False),
        ("../x", False, False),
        ("team/../x", False, False),
        ("-x", False, False),
        ("x?y", False, False),
        ("", False, False),
        ("a%2fb", False, False),
        ("a\n", False, False),
        ("x.git", False, False),
    ],
)
def test_owners(owner, on_github, on_gitlab):
    assert accepted(GitHubApi, owner=owner) is on_github
    assert accepted(GitLabApi, owner=owner) is on_gitlab


@pytest.mark.parametrize(
    ("wanted", "on_github", "on_gitlab"),
    [
        ({"visibility": "internal"}, False, True),
        ({"visibility": "public"}, True, True),
        ({"visibility": "secret"}, False, False),
        ({"description": "x" * 350}, True, True),
        ({"description": "x" * 351}, False, True),
        ({"description": "x" * 2001}, False, False),
        ({"description": "a\nb"}, False, False),
        ({"description": "a\x1b[31m"}, False, False),
        ({"topics": ("ci-cd", "x2")}, True, True),
        ({"topics": ("Two Words",)}, False, True),
        ({"topics": ("a,b",)}, False, False),
        ({"topics": ("",)}, False, False),
        ({"topics": ("x",) * 21}, False, False),
    ],
)
def test_visibility_description_and_topics(wanted, on_github, on_gitlab):
    assert accepted(GitHubApi, **wanted) is on_github
    assert accepted(GitLabApi, **wanted) is on_gitlab


def test_what_is_wanted_is_private_unless_said_otherwise():
    assert Wish(name="x").visibility == "private"


@pytest.mark.parametrize(
    ("base_url", "web", "api"),
    [
        (None, "https://github.com", "https://api.github.com"),
        ("https://github.com/", "https://github.com", "https://api.github.com"),
        ("https://api.github.com", "https://github.com", "https://api.github.com"),
        ("https://octo.ghe.com", "https://octo.ghe.com", "https://api.octo.ghe.com"),
        ("https://git.example.org", "https://git.example.org", "https://git.example.org/api/v3"),
        ("https://git.example.org/api/v3", "https://git.example.org", "https://git.example.org/api/v3"),
        ("https://git.example.org:8443", "https://git.example.org:8443", "https://git.example.org:8443/api/v3"),
    ],
)
def test_addresses_of_github(base_url, web, api):
    made = GitHubApi(wish=Wish(name="x"), token=TOKEN, base_url=base_url)
    assert made.site.url == web
    assert made._requester.base_url == api


@pytest.mark.parametrize(
    ("base_url", "web"),
    [
        (None, "https://gitlab.com"),
        ("https://git.example.org/", "https://git.example.org"),
        ("https://git.example.org/api/v4", "https://git.example.org"),
        ("https://git.example.org/gitlab", "https://git.example.org/gitlab"),
    ],
)
def test_addresses_of_gitlab(base_url, web):
    made = GitLabApi(wish=Wish(name="x"), token=TOKEN, base_url=base_url)
    assert made.site.url == web
    assert made._gitlab.api_url == f"{web}/api/v4"
    assert made.site.repository("team/tools/x").url == f"{web}/team/tools/x.git"


@pytest.mark.parametrize("api", [GitHubApi, GitLabApi])
@pytest.mark.parametrize(
    "base_url",
    [
        "http://git.example.org",
        "https://user:pass@git.example.org",
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://[fd00::1]",
        "https://2130706433",
        "https://git.example.org?x=1",
        "ftp://git.example.org",
        "git.example.org",
        "file:///etc",
    ],
)
def test_addresses_that_a_token_is_not_sent_to(api, base_url):
    with pytest.raises(InvalidInput):
        api(wish=Wish(name="x"), token=TOKEN, base_url=base_url)


@pytest.mark.parametrize("text", ["two words", "l\u00f6we", "tab\tbed"])
def test_what_is_no_token(text):
    with pytest.raises(InvalidInput) as refused:
        as_token(text)
    assert text not in str(refused.value.as_json())


def test_a_site_says_its_host():
    assert Site(origin="https://git.example.org:8443", prefix="/x").host == "git.example.org:8443"


def test_writes_to_github_keep_a_second_apart():
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    pace = github._Pace(1.0, sleep=sleep, clock=lambda: now[0])
    pace.wait()
    now[0] += 0.25
    pace.wait()
    now[0] += 5
    pace.wait()
    assert slept == [0.75]


def test_the_pace_is_github_coms_alone():
    for base_url, seconds in ((None, 1.0), ("https://git.example.org", 0.0)):
        assert GitHubApi(wish=Wish(name="x"), token=TOKEN, base_url=base_url)._pace._seconds == seconds


def test_each_host_has_its_own_rules():
    assert github.RULES.host != gitlab.RULES.host
