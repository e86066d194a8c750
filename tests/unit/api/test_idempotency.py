"""The same key and request are done once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, transaction
from django.test import override_settings
from django.urls import path
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient

from backend.api import idempotency_keys, kept_answers
from backend.api.models import IdempotentRequest
from backend.api.views import ApiViewSet
from backend.apps.authentication.models import User
from backend.apps.authentication.requests import user_of
from backend.apps.projects.models import Project, Story

pytestmark = pytest.mark.django_db
PROJECTS = "/api/v1/projects/"


class Odd(ApiViewSet):
    """A view whose POST does what its body says, after it has made a project."""

    def create(self, request: Request) -> Any:
        wish = str(dict(request.data)["wish"])
        Project.objects.create(name="Odd", slug=uuid4().hex, owner=user_of(request))
        if wish == "crash":
            raise ZeroDivisionError
        if wish == "empty":
            return Response(status=204)
        if wish == "stream":
            from django.http import HttpResponse

            return HttpResponse("x")
        return Response({"said": wish}, status=int(wish))

    def destroy(self, request: Request, user_id: str, key: str, handler: str) -> Response:
        return Response({"named": [user_id, key, handler]})


urlpatterns = [
    path("named/<str:user_id>/<str:key>/<str:handler>/", Odd.as_view({"delete": "destroy"})),
    path("odd/", Odd.as_view({"post": "create"})),
    path("none/", Odd.as_view({"get": "create"})),
]
odd = override_settings(ROOT_URLCONF=__name__)


def post(client: APIClient, body: Any, *, key: str | None = "key-1", to: str = PROJECTS) -> Any:
    return client.post(to, body, headers={} if key is None else {"Idempotency-Key": key})


def test_the_same_request_is_answered_alike_and_done_once(client: APIClient) -> None:
    first = post(client, {"name": "Mill"})
    again = post(client, {"name": "Mill"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first["Location"] == again["Location"] == f"{PROJECTS}{first.json()['id']}/"
    assert not first.has_header("Idempotency-Replayed")
    assert again["Idempotency-Replayed"] == "true"
    assert Project.objects.count() == 1


def test_without_a_key_or_with_another_it_is_done_again(client: APIClient) -> None:
    for key in (None, None, "a", "b"):
        assert post(client, {"name": "Mill"}, key=key).status_code == 201
    assert Project.objects.count() == 4
    assert IdempotentRequest.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "to"),
    [({"name": "Other"}, PROJECTS), ({"name": "Mill"}, PROJECTS + "?x=1"), ({"name": "Mill", "slug": "m"}, PROJECTS)],
)
def test_the_key_of_another_request_is_refused(client: APIClient, body: Any, to: str) -> None:
    post(client, {"name": "Mill"})
    answer = post(client, body, to=to)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert answer.json()["hint"]
    assert Project.objects.count() == 1


def test_keys_belong_to_their_user(client: APIClient) -> None:
    other = APIClient()
    other.force_authenticate(User.objects.create_user("bob"))
    first, second = post(client, {"name": "Mill"}), post(other, {"name": "Mill"})
    assert second.status_code == 201
    assert first.json()["id"] != second.json()["id"]


def test_a_refusal_is_not_kept_because_it_changed_nothing(client: APIClient) -> None:
    assert post(client, {"name": ""}).status_code == 400
    assert IdempotentRequest.objects.count() == 0
    assert post(client, {"name": "Mill"}).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "clé", "x" * 10_000, "a\x7f"])
def test_other_keys_are_refused(client: APIClient, key: str) -> None:
    answer = post(client, {"name": "Mill"}, key=key)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert Project.objects.count() == 0


@pytest.mark.parametrize("key", ["k" * 255, "a b", '"quoted"', "~!@#"])
def test_printable_keys_are_taken(client: APIClient, key: str) -> None:
    assert post(client, {"name": "Mill"}, key=key).status_code == 201


def test_after_a_day_the_key_is_free_again(client: APIClient, user: User) -> None:
    first = post(client, {"name": "Mill"})
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    second = post(client, {"name": "Mill"})
    assert first.json()["id"] != second.json()["id"]
    assert IdempotentRequest.objects.count() == 1


def test_old_answers_are_forgotten(client: APIClient) -> None:
    post(client, {"name": "Mill"}, key="old")
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    IdempotentRequest.objects.create(user=User.objects.get(), key="new", fingerprint="")
    assert kept_answers.forget_old_answers() == 1
    assert [each.key for each in IdempotentRequest.objects.all()] == ["new"]


def test_the_key_means_nothing_to_a_stranger(db: None) -> None:
    assert post(APIClient(), {"name": "Mill"}).status_code == 401
    assert IdempotentRequest.objects.count() == 0


def test_a_late_change_does_not_undo_a_later_one(client: APIClient) -> None:
    place = post(client, {"name": "Mill"}, key=None)["Location"]
    late: Any = {"data": {"name": "Mine"}, "headers": {"Idempotency-Key": "key-1"}}
    first = client.patch(place, **late)
    client.patch(place, {"name": "Theirs"})
    again = client.patch(place, **late)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert client.get(place).json()["name"] == "Theirs"
    assert client.put(place, **late).json()["code"] == "idempotency_key_reused"


def test_a_repeated_delete_is_still_a_success(client: APIClient, user: User) -> None:
    project = Project.objects.create(name="Mill", slug="mill", owner=user)
    story = Story.objects.create(project=project, title="T", created_by=user)
    for _ in range(2):
        answer = client.delete(f"/api/v1/stories/{story.pk}/", headers={"Idempotency-Key": "key-1"})
        assert (answer.status_code, answer.content) == (204, b"")
    assert client.delete(f"/api/v1/stories/{story.pk}/", headers={"Idempotency-Key": "key-2"}).status_code == 404


def test_reading_does_not_look_at_it(client: APIClient) -> None:
    for _ in range(2):
        assert not client.get(PROJECTS, headers={"Idempotency-Key": "key-1"}).has_header("Idempotency-Replayed")
    assert IdempotentRequest.objects.count() == 0


@odd
@pytest.mark.parametrize("wish", ["400", "404", "409", "500", "503"])
def test_an_error_leaves_neither_effect_nor_answer(client: APIClient, wish: str) -> None:
    for _ in range(2):
        answer = post(client, {"wish": wish}, to="/odd/")
        assert (answer.status_code, answer.json()) == (int(wish), {"said": wish})
        assert not answer.has_header("Idempotency-Replayed")
    assert Project.objects.count() == IdempotentRequest.objects.count() == 0


@odd
@pytest.mark.parametrize(("wish", "error"), [("crash", ZeroDivisionError), ("stream", None)])
def test_a_crash_leaves_neither_effect_nor_answer(client: APIClient, wish: str, error: Any) -> None:
    if error:
        with pytest.raises(error):
            post(client, {"wish": wish}, to="/odd/")
    else:
        assert post(client, {"wish": wish}, to="/odd/").status_code == 500
    assert Project.objects.count() == IdempotentRequest.objects.count() == 0


@odd
def test_an_empty_answer_is_replayed_empty(client: APIClient) -> None:
    assert post(client, {"wish": "empty"}, to="/odd/").status_code == 204
    again = post(client, {"wish": "empty"}, to="/odd/")
    assert (again.status_code, again.content) == (204, b"")
    assert again["Idempotency-Replayed"] == "true"
    assert Project.objects.count() == 1


@odd
def test_a_method_that_is_not_there_stays_a_405(client: APIClient) -> None:
    assert post(client, {}, to="/none/").status_code == 405


def test_a_body_that_is_too_large_is_a_413(client: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    for key in ("key-1", None):
        assert post(client, {"name": "x" * 200}, key=key).status_code == 413


class LockNotAvailable(Exception):
    """Stands for the driver's error."""

    sqlstate = idempotency_keys.LOCK_NOT_AVAILABLE


@pytest.mark.parametrize(("cause", "status"), [(LockNotAvailable(), 409), (Exception("gone"), 503)])
def test_waiting_too_long_for_the_first_request(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, cause: Exception, status: int
) -> None:
    def blocked(**_: Any) -> None:
        raise OperationalError from cause

    monkeypatch.setattr(IdempotentRequest.objects, "create", blocked)
    answer = post(client, {"name": "Mill"})
    assert answer.status_code == status
    assert answer["Retry-After"] == "1"
    assert (answer.json()["code"] == "idempotency_key_in_use") == (status == 409)


def test_on_commit_hooks_of_a_refused_request_do_not_run(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    published: list[str] = []
    original = Project.save

    def save(self: Project, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        transaction.on_commit(lambda: published.append(self.slug))
        if self.name == "Bad":
            raise OperationalError

    monkeypatch.setattr(Project, "save", save)
    with django_capture_on_commit_callbacks(execute=True):
        post(client, {"name": "Good", "slug": "good"}, key="a")
        post(client, {"name": "Bad", "slug": "bad"}, key="b")
    assert published == ["good"]


@odd
def test_a_path_may_name_what_it_likes(client: APIClient) -> None:
    answer = client.delete("/named/a/b/c/", headers={"Idempotency-Key": "key-1"})
    assert answer.json() == {"named": ["a", "b", "c"]}
