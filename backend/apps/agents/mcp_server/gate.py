"""Who may come in by HTTP: the same tokens, permissions and limits as the REST API's, asked in the same way.

A page in somebody's browser may not: a Host that is not ours (DNS rebinding) and an Origin from elsewhere are refused
before anything else is looked at.
"""

from __future__ import annotations

import io
import json
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http.request import split_domain_port, validate_host
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.api.errors import problem
from backend.apps.authentication.models import User
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Scope

LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]


class Refused(Exception):
    """The request is not let in; `status`, `headers` and `body` are its answer."""

    def __init__(self, *, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store", **(headers or {})}
        self.body = json.dumps(body).encode()
        super().__init__(status)


class Gate(APIView):
    """A view that is never called: it asks what every view of the API asks before its work."""

    # What a token must be good for is asked of each tool; to come in, reading is enough.
    scopes: ClassVar = {"post": Scope.READ}


def admit(scope: dict[str, Any]) -> User:
    """Return the user of an ASGI request; their `grant` says what their token is good for. Raises Refused."""
    path = str(scope["path"])
    request = ASGIRequest(scope, io.BytesIO())
    try:
        request.get_host()
    except DisallowedHost:
        raise _refused(421, "misdirected", "This host name is not one of this server's.", path) from None
    origin = request.headers.get("Origin")
    if origin is not None and not _is_ours(origin):
        raise _refused(403, "permission_denied", "Requests from this origin are not taken.", path)
    if request.method != "POST":
        raise _refused(405, "method_not_allowed", "Send messages by POST.", path, Allow="POST")
    return _authenticated(request)


def _authenticated(request: ASGIRequest) -> User:
    gate = Gate()
    gate.args, gate.kwargs, gate.headers = (), {}, {}
    asked = gate.initialize_request(request)
    gate.request = asked
    try:
        gate.initial(asked)
        return user_of(asked)
    except Exception as error:
        response: Response = gate.handle_exception(error)
        headers = {name: value for name, value in response.items() if name in {"WWW-Authenticate", "Retry-After"}}
        raise Refused(status=response.status_code, body=response.data, headers=headers) from error


def _is_ours(origin: str) -> bool:
    host, _ = split_domain_port(urlsplit(origin).netloc)
    allowed = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else [])
    return bool(host) and validate_host(host, allowed)


def _refused(status: int, code: str, detail: str, path: str, **headers: str) -> Refused:
    return Refused(status=status, body=problem(status=status, code=code, detail=detail, instance=path), headers=headers)
