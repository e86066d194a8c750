"""Which endpoints are let through, and what is sent for them."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from backend.apps.agents.errors import InvalidEndpoint
from backend.apps.agents.services.endpoints import LONGEST_ENDPOINT, resolve

CORPUS = Path(os.environ.get("REPOMILL_CORPUS") or Path(__file__).parents[3].parent / "shared" / "corpus")


def rows(name: str) -> list[dict[str, Any]]:
    path = CORPUS / f"{name}.jsonl"
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{path} is missing")
        pytest.skip(f"the corpus is not at {CORPUS}")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [
        ("projects", "/api/v1/projects"),
        ("/projects/", "/api/v1/projects/"),
        ("/api/v1/projects/", "/api/v1/projects/"),
        ("/api/v1", "/api/v1/api/v1"),
        ("/API/V1/projects/", "/api/v1/API/V1/projects/"),
        ("projects?page=2", "/api/v1/projects?page=2"),
        ("projects/?", "/api/v1/projects/?"),
        ("projects/a%20b/%E2%82%AC", "/api/v1/projects/a%20b/%E2%82%AC"),
        ("projects/100%25", "/api/v1/projects/100%25"),
        ("projects/[a]", "/api/v1/projects/%5Ba%5D"),
        ("users@host/a.b-c_d~e!$&'()*+,=:", "/api/v1/users@host/a.b-c_d~e!$&'()*+,=:"),
        ("projects?next=//elsewhere/../x", "/api/v1/projects?next=//elsewhere/../x"),
        ("/https:host", "/api/v1/https:host"),
        ("a" * (LONGEST_ENDPOINT), "/api/v1/" + "a" * LONGEST_ENDPOINT),
    ],
)
def test_paths_below_the_prefix_are_sent_as_they_are(endpoint: str, target: str) -> None:
    assert resolve(endpoint) == target


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("", "empty"),
        ("/", "path is empty"),
        ("?a=b", "path is empty"),
        (None, "empty"),
        ("//host/x", "names a host"),
        ("http://host/", "scheme"),
        ("https:host", "scheme"),
        ("@host/", "user part"),
        ("..", "dots only"),
        ("a/./b", "dots only"),
        ("a/.../b", "dots only"),
        ("a/%2e%2e/b", "dots only"),
        ("a/%252e%252e/b", "dots only"),
        ("a/..%3bx/b", "dots only"),
        ("a/%EF%BC%8E%EF%BC%8E/b", "dots only"),
        ("a//b", "empty segment"),
        ("a/%2fb", "encoded slash"),
        ("a%252fb", "encoded slash"),
        ("a%EF%BC%8Fb", "encoded slash"),
        ("a\\b", "backslash"),
        ("a%5cb", "encoded backslash"),
        ("a%EF%BC%BCb", "encoded backslash"),
        ("a;b", "path parameters"),
        ("a#b", "fragment"),
        ("a b", "space or a control"),
        ("a\nb", "space or a control"),
        ("a%0d%0ab", "control or invisible"),
        ("a%00", "control or invisible"),
        ("a%E2%80%8Bb", "control or invisible"),
        ("a%c0%aeb", "not UTF-8"),
        ("a%zz", "percent sign"),
        ("a%", "percent sign"),
        ("a?b=%g0", "percent sign"),
        ("é", "outside ASCII"),
        ("a/{id}", "may not hold"),
        ("a?b={id}", "query"),
        ("a" * (LONGEST_ENDPOINT + 1), "longer than"),
        ("%25252525252e", "more than"),
    ],
)
def test_anything_that_could_leave_is_refused_with_its_reason(endpoint: Any, reason: str) -> None:
    with pytest.raises(InvalidEndpoint, match=reason) as caught:
        resolve(endpoint)
    assert caught.value.code == "invalid_endpoint"
    assert caught.value.place["field"] == "endpoint"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({}, ""),
        ({"page": 2}, "?page=2"),
        ({"done": True, "open": False, "none": None, "half": 0.5}, "?done=true&open=false&none=&half=0.5"),
        ({"tag": ["a", "b"]}, "?tag=a&tag=b"),
        ({"q": "a b&c=d#e/../€\r\n"}, "?q=a+b%26c%3Dd%23e%2F..%2F%E2%82%AC%0D%0A"),
        ({"a&b": "c"}, "?a%26b=c"),
    ],
)
def test_params_are_encoded(params: dict[str, Any], query: str) -> None:
    assert resolve("/projects/", params=params) == "/api/v1/projects/" + query


def test_params_are_added_to_the_query() -> None:
    assert resolve("/projects/?page=2", params={"page_size": 5}) == "/api/v1/projects/?page=2&page_size=5"


def test_a_lone_surrogate_in_a_param_is_refused() -> None:
    with pytest.raises(InvalidEndpoint, match="lone surrogate"):
        resolve("/projects/", params={"q": "\ud800"})


def fully_decoded(target: str) -> str:
    before, path = "", target.partition("?")[0]
    while before != path:
        before, path = path, unquote(path, errors="strict")
    return unicodedata.normalize("NFKC", path)


def assert_harmless(target: str) -> None:
    path = fully_decoded(target)
    assert target.isascii()
    assert target.isprintable()
    assert path.startswith("/api/v1/")
    assert not any(unicodedata.category(each).startswith("C") for each in path)
    assert "\\" not in path
    assert "//" not in path
    assert not any(segment and not segment.strip(".") for segment in path.split("/"))


def test_own_corpus_of_paths() -> None:
    for row in rows("own/api_paths"):
        try:
            target = resolve(row["value"])
        except InvalidEndpoint:
            assert row["expected"] == "reject", row
        else:
            assert row["expected"] == "accept", row
            assert_harmless(target)


@pytest.mark.parametrize("name", ["third_party/url_whatwg", "third_party/ssrf_redirect_urls", "third_party/crlf"])
def test_third_party_corpora(name: str) -> None:
    let_through = 0
    for row in rows(name):
        try:
            target = resolve(row["value"])
        except InvalidEndpoint:
            assert row["expected"] == "reject", row
        else:
            let_through += 1
            # An absolute path outside /api/v1/ is put below it; code points that some old servers cut down to line
            # feeds are sent percent-encoded, as other text is. Everything else that is let through was to be accepted.
            outside = row.get("rule") == "absolute-path-outside-api"
            only_text = row["kind"] == "crlf" and not any(ord(each) < 32 for each in fully_decoded(target))
            assert row["expected"] == "accept" or outside or only_text, row
            assert_harmless(target)
    assert let_through < 30
