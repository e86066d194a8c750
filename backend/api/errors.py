"""Every error of the REST API as problem details (RFC 9457), and the one place where errors get their HTTP status.

A problem has type, title, status, detail, code and instance; `errors` lists what is wrong with which field; `hint` says
what to do next. Further members name the place (`path`, `line`, `expected`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.response import Response

from backend.api.hints import as_calls
from backend.errors import Conflict, InvalidInput, RepomillError, TemporaryFailure

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
API_PREFIX = "/api/"

# By code; an error without a line here takes its parent's, so a new error of a known kind needs none.
STATUS_BY_CODE = {
    "invalid_input": 400,
    "permission_denied": 403,
    "not_found": 404,
    "conflict": 409,
    "precondition_failed": 412,
    "idempotency_key_reused": 422,
    "idempotency_key_in_use": 409,
    "payload_too_large": 413,
    "organisation_full": 409,
    "organisation_busy": 429,
    "in_doubt": 409,
    "remote_refused": 502,
    # The value that was given, and not the other system's trouble.
    "credential_rejected": 422,
    "temporary_failure": 503,
    "time_limit_exceeded": 504,
    "configuration_error": 500,
    "internal_error": 500,
}
# What is not about the caller's data is not repeated as a field error.
_STANDARD_MEMBERS = frozenset({"type", "title", "status", "detail", "code", "instance", "errors", "hint"})


class IdempotencyKeyReused(InvalidInput):
    """The Idempotency-Key was used before for another request."""

    code = "idempotency_key_reused"


class IdempotencyKeyInUse(Conflict):
    """The first request with this Idempotency-Key is still at work."""

    code = "idempotency_key_in_use"
    retryable = True


class PayloadTooLarge(InvalidInput):
    """The request's body is too large."""

    code = "payload_too_large"


def status_of(error: RepomillError) -> int:
    """Return the HTTP status of an error: its own code's, or its nearest ancestor's."""
    for kind in type(error).__mro__:
        status = STATUS_BY_CODE.get(getattr(kind, "code", ""))
        if status is not None:
            return status
    return 500


def as_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer for an error raised in a view, or None for what nobody foresaw: that becomes a plain 500.

    It is REST framework's EXCEPTION_HANDLER.
    """
    request = context.get("request")
    instance = request.path if request is not None else ""
    known = _translated(error)
    if isinstance(known, RepomillError):
        return _respond(_from_repomill(known), instance=instance, retry_after=known.retry_after)
    if isinstance(known, APIException):
        response = _respond(_from_framework(known), instance=instance, retry_after=getattr(known, "wait", None))
        if challenge := getattr(known, "auth_header", None):
            response["WWW-Authenticate"] = challenge
        return response
    return None


def problem(*, status: int, code: str, detail: str, instance: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return problem details; members that are None or empty are left out."""
    shown = {
        "type": f"urn:repomill:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": instance,
    }
    return shown | {name: value for name, value in members.items() if value not in (None, [], "")}


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django itself found to be malformed."""
    if not request.path.startswith(API_PREFIX):
        return defaults.bad_request(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return _plain(request, status=413, code="payload_too_large", detail="The request's body is too large.")
    return _plain(request, status=400, code="invalid_input", detail="The request is malformed.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django itself refused."""
    if not request.path.startswith(API_PREFIX):
        return defaults.permission_denied(request, exception)
    return _plain(request, status=403, code="permission_denied", detail="The user may not do this.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a path that nothing serves."""
    if not request.path.startswith(API_PREFIX):
        return defaults.page_not_found(request, exception)
    return _plain(request, status=404, code="not_found", detail="There is nothing at this path.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an error that nobody foresaw; what it was is in the log."""
    if not request.path.startswith(API_PREFIX):
        return defaults.server_error(request)
    return _plain(request, status=500, code="internal_error", detail="Something inside Repomill went wrong.")


def _translated(error: Exception) -> Exception:
    """Return the error of ours that a foreign one means, or the foreign one."""
    if isinstance(error, RequestDataTooBig):
        return PayloadTooLarge(hint="Send less in one request.")
    if isinstance(error, SuspiciousOperation):
        return InvalidInput("The request is malformed.")
    if isinstance(error, Http404):
        return _framework_error(404, "There is no such thing.", "not_found")
    if isinstance(error, PermissionDenied):
        return _framework_error(403, "The user may not do this.", "permission_denied")
    if isinstance(error, OperationalError):
        logger.exception("The database did not answer a request")
        return TemporaryFailure("The database is not available just now.", retry_after=1, hint="Try again.")
    return error


def _framework_error(status: int, detail: str, code: str) -> APIException:
    error = APIException(detail, code)
    error.status_code = status
    return error


def _from_repomill(error: RepomillError) -> dict[str, Any]:
    status = status_of(error)
    members = {name: value for name, value in error.place.items() if name not in _STANDARD_MEMBERS}
    if "expected" in members:
        members["expected"] = as_calls(members["expected"])
    field = members.pop("field", None)
    errors = [{"field": str(field), "message": error.message, "code": error.code}] if field and status < 500 else []
    if error.retryable:
        members["retryable"] = True
    return {
        "status": status,
        "code": error.code,
        "detail": error.message,
        "errors": errors,
        "hint": as_calls(error.hint),
    } | members


def _from_framework(error: APIException) -> dict[str, Any]:
    if isinstance(error, ValidationError):
        errors = list(_field_errors(error.detail))
        first = errors[0] if errors else {"field": "", "message": "The input is not valid."}
        summary = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
        return {"status": error.status_code, "code": "invalid_input", "detail": summary, "errors": errors}
    detail = error.detail
    if isinstance(detail, dict):
        # simplejwt puts text and code side by side into a mapping.
        said = detail.get("detail", "")
        return {"status": error.status_code, "code": str(detail.get("code", "error")), "detail": str(said)}
    code = detail.code if isinstance(detail, ErrorDetail) else "error"
    return {"status": error.status_code, "code": str(code), "detail": str(detail)}


def _field_errors(detail: Any, *, at: str = "") -> Iterator[dict[str, str]]:  # noqa: ANN401  (nested lists and mappings)
    if isinstance(detail, dict):
        for name, inner in detail.items():
            here = at if name == "non_field_errors" else ".".join(part for part in (at, str(name)) if part)
            yield from _field_errors(inner, at=here)
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            # A list of texts belongs to one field; a list of mappings to the items of a list.
            nested = isinstance(inner, dict | list)
            yield from _field_errors(inner, at=".".join(part for part in (at, str(number)) if part) if nested else at)
    else:
        yield {"field": at, "message": str(detail), "code": str(getattr(detail, "code", None) or "invalid")}


def _respond(members: dict[str, Any], *, instance: str, retry_after: float | None) -> Response:
    status = members["status"]
    response = Response(problem(instance=instance, **members), status=status, content_type=MEDIA_TYPE)
    if retry_after is not None:
        response["Retry-After"] = str(max(1, round(retry_after)))
    return response


def _plain(request: HttpRequest, *, status: int, code: str, detail: str) -> JsonResponse:
    body = problem(status=status, code=code, detail=detail, instance=request.path)
    return JsonResponse(body, status=status, content_type=MEDIA_TYPE)
