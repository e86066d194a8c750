"""The rows of the corpus on who may do what, on tokens, and on JSON as a request's body."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core import serializers
from django.test import override_settings
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken

from backend.apps.authentication.checks import check_signing_key
from backend.apps.authentication.models import EndedRefreshToken, User
from backend.apps.authentication.services.jwt_service import jwt_service
from backend.apps.projects.models import Project, Story
from tests import corpus
from tests.unit.api.permission_matrix.test_permission_matrix import ROWS
from tests.unit.authentication.test_tokens import KEY, ask, encoded, signed

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[3]
V1 = "/api/v1/"


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password="correct horse battery")


@pytest.fixture
def client(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


# --- tokens ---


def _part(token: str, number: int) -> str:
    return token.split(".")[number]


def _unsigned(user: User, algorithm: str) -> str:
    return f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{_part(signed(user), 1)}."


def _of_a_deleted_user(user: User) -> list[str]:
    gone = User.objects.create_user("gone")
    token = signed(gone)
    gone.delete()
    return [token]


TOKENS: dict[str, Callable[[User], list[str]]] = {
    "valid": lambda user: [signed(user)],
    "expired": lambda user: [signed(user, exp=1)],
    "exp missing": lambda user: [signed(user, exp=None)],
    "exp string": lambda user: [signed(user, exp="2099-01-01")],
    "exp 10**30": lambda user: [signed(user, exp=10**30)],
    "alg none / None": lambda user: [_unsigned(user, "none"), _unsigned(user, "None")],
    "alg HS512 with HS256 signature": lambda user: [
        f"{encoded({'alg': 'HS512', 'typ': 'JWT'})}.{_part(signed(user), 1)}.{_part(signed(user), 2)}"
    ],
    "wrong or empty key": lambda user: [signed(user, key="x" * 32), signed(user, key=KEY[::-1])],
    "signature stripped": lambda user: [signed(user).rpartition(".")[0], signed(user).rpartition(".")[0] + "."],
    "refresh token as access": lambda user: [str(RefreshToken.for_user(user))],
    "token_type missing": lambda user: [signed(user, token_type=None)],
    "user_id dict/list": lambda user: [signed(user, user_id={"a": 1}), signed(user, user_id=[str(user.pk)])],
    'user_id "1 OR 1=1" / NUL': lambda user: [signed(user, user_id="1 OR 1=1"), signed(user, user_id="\0")],
    "kid=../../dev/null, jku=http://evil": lambda user: [
        signed(user, headers={"kid": "../../dev/null", "jku": "http://evil.invalid/"})
    ],
    "deleted user": _of_a_deleted_user,
}


def test_every_token_of_the_corpus_is_judged_as_it_says(user: User) -> None:
    rows = {row["name"]: row["expected"] for row in corpus.rows("own/jwt_cases")}
    of_their_own = {name for name in rows if name.startswith(("after logout", "JWT stored", "SIGNING_KEY"))}
    assert set(rows) == set(TOKENS) | of_their_own
    for name, make in TOKENS.items():
        for token in make(user):
            status = 200 if rows[name] in ("200", "ignored") else 401
            assert ask(token).status_code == status, name


def test_after_the_logout_a_refresh_token_is_refused_and_an_access_token_lives_to_its_end(user: User) -> None:
    refresh = RefreshToken.for_user(user)
    assert APIClient().post(f"{V1}auth/token/revoke/", {"refresh": str(refresh)}).status_code == 204
    assert APIClient().post(f"{V1}auth/token/refresh/", {"refresh": str(refresh)}).status_code == 401
    assert ask(str(refresh.access_token)).status_code == 200


def test_tokens_are_short_lived_and_kept_nowhere(user: User) -> None:
    assert jwt_service.lifetime.total_seconds() <= 600
    refresh = RefreshToken.for_user(user)
    token = jwt_service.generate_token(user)
    APIClient().post(f"{V1}auth/token/revoke/", {"refresh": str(refresh)})
    kept = serializers.serialize("json", [*User.objects.all(), *EndedRefreshToken.objects.all()])
    assert not [part for part in (token, str(refresh), _part(str(refresh), 2)) if part in kept]


@pytest.mark.parametrize("key", ["", "short", "x" * 31, "the secret key"])
def test_a_signing_key_that_is_short_or_not_its_own_stops_the_start(key: str) -> None:
    key = settings.SECRET_KEY if key == "the secret key" else key
    with override_settings(SIMPLE_JWT={**settings.SIMPLE_JWT, "SIGNING_KEY": key}):
        assert check_signing_key()
    assert check_signing_key() == []


# --- JSON ---

# Allowed by JSON, and refused here: what a database cannot keep, and a name that is given twice.
REFUSED_HERE = ("y_object_duplicated_key", "y_object_escaped_null", "y_string_null_escape")


def test_every_body_of_the_corpus_is_read_or_a_400(client: APIClient) -> None:
    statuses = set()
    rows = corpus.rows("third_party/json_parsing")
    assert len(rows) > 300
    for row in rows:
        body = base64.b64decode(row["value_b64"])
        answer = client.post(f"{V1}projects/", body, content_type="application/json")
        problem = answer.json()
        # None of them is a project; so what was read is invalid, and what was not could not be parsed.
        assert answer.status_code == 400, row["kind"]
        if row["expected"] == "parse-ok" and not row["kind"].startswith(REFUSED_HERE):
            assert problem["code"] == "invalid_input", row["kind"]
        # No body at all is one without fields.
        elif body and row["expected"] != "either-but-400-not-500":
            assert problem["code"] == "parse_error", row["kind"]
        statuses.add(problem["code"])
    assert statuses == {"invalid_input", "parse_error"}
    assert Project.objects.count() == 0


# --- who may do what ---

# What each resource is called in our paths; `{id}` ends what names one of them.
PATHS = {
    "project": ("projects/{id}/",),
    "structure/file": ("files/", "workspace/"),
    "template": ("templates/",),
    "workflow": ("workflows/<uuid:workflow_id>",),
    "workflow run": ("executions/",),
    "archive": ("archives/", "download/"),
    "export job": ("export", "exports/"),
    "SCM credential": ("credentials/",),
    "AgentAPICaller call log": ("calls/",),
    "task result": ("tasks/",),
    "console websocket/SSE stream": ("events/",),
}
METHODS = {"list": ("GET",), "read": ("GET",), "update": ("PUT", "PATCH"), "delete": ("DELETE",)}
ELSEWHERE = {
    "055": "tests/unit/credentials/test_corpus.py::test_a_strangers_credential_is_not_found_whatever_is_done_with_it",
    "056": "tests/unit/credentials/test_corpus.py::test_a_strangers_credential_is_not_found_whatever_is_done_with_it",
    "058": "tests/unit/credentials/test_corpus.py::test_an_owner_reads_nothing_of_the_value_back",
    "060": "tests/unit/workers/test_call.py::test_rights_are_those_of_the_moment_when_the_work_is_done",
    "067": "tests/integration/test_races.py::"
    "test_of_requests_with_one_key_that_come_together_one_is_done_and_all_are_answered_alike",
    "071": "tests/integration/test_hosted_workflows.py",
}
# Shown by the tests below.
HERE = {"062", "063", "066", "069", "072", "073", "074"}


def test_what_is_anothers_is_missing_in_every_row() -> None:
    # Outside of the API is what answers everybody alike, whether the thing is there or not.
    matrix = [(row.method, row.route, row.answers.stranger) for row in ROWS if not row.route.startswith("/")]
    judged = 0
    rows = [row for row in corpus.rows("own/authz_idempotency") if "resource" in row]
    assert {row["resource"] for row in rows} == set(PATHS)
    for row in rows:
        assert row["expected"].startswith("404")
        methods = METHODS.get(row["action"])
        if methods is None:
            # As a foreign key in a body: each app's own tests, and those of this one below.
            continue
        marks = [mark.partition("{id}")[0] for mark in PATHS[row["resource"]]]
        for method, route, status in matrix:
            if method in methods and "<uuid:" in route and any(mark in route for mark in marks):
                judged += 1
                assert status == 404, (row["id"], method, route)
    assert judged


def test_every_case_of_the_corpus_has_its_test() -> None:
    cases = {row["id"].rpartition("-")[2]: row for row in corpus.rows("own/authz_idempotency") if "case" in row}
    assert set(cases) == set(ELSEWHERE) | HERE
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        assert not name or f"def {name}(" in (ROOT / file).read_text("utf-8"), place


def test_a_strangers_thing_in_a_body_is_missing_and_changes_nothing(client: APIClient, user: User) -> None:
    bob = User.objects.create_user("bob")
    theirs = Project.objects.create(name="Theirs", slug="theirs", owner=bob)
    mine = Project.objects.create(name="Mine", slug="mine", owner=user)
    before = Project.objects.order_by("pk").values_list()
    for path, body in [
        (f"projects/{mine.pk}/stories/", {"title": "T", "sprint": str(theirs.pk)}),
        ("auth/tokens/", {"name": "t", "scopes": [], "project": str(theirs.pk)}),
        ("projects/", {"name": "N", "organisation": str(theirs.pk)}),
    ]:
        assert client.post(V1 + path, body).status_code == 404
    assert list(Project.objects.order_by("pk").values_list()) == list(before)
    assert Story.objects.count() == 0


@pytest.mark.parametrize("field", ["owner", "is_staff", "status", "repo_url", "id"])
def test_what_is_not_ones_own_to_say_is_ignored_or_refused(client: APIClient, user: User, field: str) -> None:
    """Case 062."""
    bob = User.objects.create_user("bob")
    answer = client.post(f"{V1}projects/", {"name": "Mine", field: str(bob.pk)})
    assert answer.status_code in (201, 400)
    assert [project.owner for project in Project.objects.all()] in ([], [user])
    assert not User.objects.filter(is_staff=True).exists()
    assert not Project.objects.filter(pk=bob.pk).exists()


def test_a_key_with_the_same_body_has_one_effect(client: APIClient) -> None:
    """Cases 063 and 066: the key of another endpoint is refused, as decision 0015 says."""
    headers = {"Idempotency-Key": "k"}
    first, again = (client.post(f"{V1}projects/", {"name": "N"}, headers=headers) for _ in range(2))
    assert first.content == again.content
    assert Project.objects.count() == 1
    other = client.post(f"{V1}projects/{first.json()['id']}/stories/", {"title": "N"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["k" * 10_240, "a\r\nX: y", "ключ"])
def test_a_key_that_is_none_is_a_400(client: APIClient, key: str) -> None:
    """Case 069."""
    answer = client.post(f"{V1}projects/", {"name": "N"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, Project.objects.count()) == (400, 0)


@pytest.mark.parametrize(
    "query",
    [
        "ordering=owner__password",
        "fields=__all__",
        "search=%00",
        "_connector=OR&owner__isnull=True",
        "owner__password__startswith=a",
        "pk__in=1&_negated=1",
    ],
)
def test_queries_reach_no_filter(client: APIClient, user: User, query: str) -> None:
    """Cases 072 and 073."""
    bob = User.objects.create_user("bob")
    Project.objects.create(name="Theirs", slug="theirs", owner=bob)
    mine = Project.objects.create(name="Mine", slug="mine", owner=user)
    for path in ("projects/", f"projects/{mine.pk}/stories/", f"projects/{mine.pk}/members/"):
        answer = client.get(f"{V1}{path}?{query}")
        assert answer.status_code in (200, 400), answer.content
        assert "theirs" not in answer.content.decode()


@pytest.mark.parametrize("accept", ["text/html", "application/json; api=admin", "*/*"])
def test_there_is_no_page_to_browse_the_api(client: APIClient, accept: str) -> None:
    """Case 074."""
    answer = client.get(f"{V1}projects/", headers={"Accept": accept})
    assert answer.status_code in (200, 406)
    assert "html" not in answer["Content-Type"]
