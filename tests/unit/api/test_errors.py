"""Every error as problem details, with its status."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from django.test import Client, RequestFactory
from rest_framework import exceptions
from rest_framework.test import APIClient

from backend.api import errors as api_errors
from backend.api.errors import IdempotencyKeyInUse, IdempotencyKeyReused, PayloadTooLarge, as_problem, status_of
from backend.apps.agents.errors import APIError, InvalidEndpoint
from backend.errors import (
    ConfigurationError,
    Conflict,
    InDoubt,
    InvalidInput,
    NotFound,
    PermissionRefused,
    RateLimited,
    RemoteRefused,
    RemoteUnreachable,
    RepomillError,
    TemporaryFailure,
    TimeLimitExceeded,
    WorkersLost,
)

REQUEST = RequestFactory().get("/api/v1/things/")


def shown(error: Exception) -> Any:
    response = as_problem(error, {"request": REQUEST})
    assert response is not None
    assert response.content_type == "application/problem+json"
    assert response.data["status"] == response.status_code
    assert response.data["instance"] == "/api/v1/things/"
    assert {"type", "title", "detail", "code"} <= set(response.data)
    return response


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (InvalidInput, 400),
        (InvalidEndpoint, 400),
        (PayloadTooLarge, 413),
        (IdempotencyKeyReused, 422),
        (IdempotencyKeyInUse, 409),
        (PermissionRefused, 403),
        (NotFound, 404),
        (Conflict, 409),
        (InDoubt, 409),
        (RemoteRefused, 502),
        (APIError, 502),
        (TemporaryFailure, 503),
        (RemoteUnreachable, 503),
        (RateLimited, 503),
        (TimeLimitExceeded, 504),
        (WorkersLost, 500),
        (ConfigurationError, 500),
        (RepomillError, 500),
    ],
)
def test_every_error_of_ours_has_a_status(kind: type[RepomillError], status: int) -> None:
    error = kind()
    assert status_of(error) == status
    data = shown(error).data
    assert (data["status"], data["code"], data["detail"]) == (status, error.code, error.message)
    assert data.get("retryable", False) is error.retryable


def test_place_and_hint_are_members() -> None:
    error = InvalidInput("Bad.", hint="Do better.", field="title", path="a/b", line=3, status="evil", code="evil")
    data = shown(error).data
    assert data["errors"] == [{"field": "title", "message": "Bad.", "code": "invalid_input"}]
    assert (data["hint"], data["path"], data["line"]) == ("Do better.", "a/b", 3)
    assert (data["status"], data["code"], data["title"]) == (400, "invalid_input", "Bad Request")
    assert data["type"] == "urn:repomill:problem:invalid_input"


def test_waiting_times_are_headers() -> None:
    assert shown(RateLimited(retry_after=90.4))["Retry-After"] == "90"
    assert shown(TemporaryFailure(retry_after=0.1))["Retry-After"] == "1"
    assert shown(exceptions.Throttled(7))["Retry-After"] == "7"
    assert not shown(TemporaryFailure()).has_header("Retry-After")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (exceptions.ParseError("Not JSON."), 400, "parse_error"),
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.PermissionDenied(), 403, "permission_denied"),
        (exceptions.NotFound(), 404, "not_found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.UnsupportedMediaType("text/xml"), 415, "unsupported_media_type"),
        (exceptions.AuthenticationFailed({"detail": "No.", "code": "user_inactive"}), 401, "user_inactive"),
        (exceptions.APIException(["a"]), 500, "error"),
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "permission_denied"),
        (RequestDataTooBig(), 413, "payload_too_large"),
        (DisallowedHost(), 400, "invalid_input"),
        (SuspiciousOperation(), 400, "invalid_input"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else str(each),
)
def test_errors_of_the_frameworks(error: Exception, status: int, code: str) -> None:
    data = shown(error).data
    assert (data["status"], data["code"]) == (status, code)
    assert isinstance(data["detail"], str)
    assert data["detail"]


def test_a_database_that_is_away_is_temporary_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    response = shown(OperationalError("password=hunter2"))
    assert response.status_code == 503
    assert response["Retry-After"] == "1"
    assert "hunter2" not in str(response.data)
    assert caplog.records[0].levelno == logging.ERROR


def test_validation_errors_name_their_fields() -> None:
    detail: Any = {"title": ["Too long."], "parts": [{}, {"name": ["Missing."]}], "non_field_errors": ["Both."]}
    data = shown(exceptions.ValidationError(detail)).data
    assert data["detail"] == "title: Too long."
    assert [(each["field"], each["message"]) for each in data["errors"]] == [
        ("title", "Too long."),
        ("parts.1.name", "Missing."),
        ("", "Both."),
    ]
    assert shown(exceptions.ValidationError("Alone.")).data["detail"] == "Alone."
    assert shown(exceptions.ValidationError([])).data["detail"] == "The input is not valid."


def test_what_nobody_foresaw_is_left_to_the_500() -> None:
    assert as_problem(ZeroDivisionError(), {"request": REQUEST}) is None


def test_a_challenge_is_sent_with_a_401(db: None) -> None:
    response = APIClient().get("/api/v1/projects/")
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("handler", "status", "code"),
    [("bad_request", 400, "invalid_input"), ("forbidden", 403, "permission_denied"), ("not_found", 404, "not_found")],
)
def test_djangos_own_errors_are_problems_below_api_alone(handler: str, status: int, code: str) -> None:
    answer = getattr(api_errors, handler)
    below = answer(RequestFactory().get("/api/v1/x/"), Exception("secret"))
    assert below.status_code == status
    assert below["Content-Type"] == "application/problem+json"
    assert f'"code": "{code}"' in below.content.decode()
    assert "secret" not in below.content.decode()
    elsewhere = answer(RequestFactory().get("/x/"), Exception("secret"))
    assert elsewhere.status_code == status
    assert elsewhere["Content-Type"].startswith("text/html")


def test_unknown_paths_and_crashes(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)
    assert client.get("/api/v1/nothing/").json()["code"] == "not_found"
    assert client.get("/nothing/")["Content-Type"].startswith("text/html")

    def crash(*_: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("backend.apps.authentication.tokens.TokenAuthentication.authenticate", crash)
    answer = client.get("/api/v1/projects/")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert b"secret" not in answer.content
    monkeypatch.setattr("backend.api.health.JsonResponse", crash)
    assert client.get("/healthz")["Content-Type"].startswith("text/html")
