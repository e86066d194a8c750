"""Gives each request an id for the log, which the answer carries too, and a span where traces are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from backend.telemetry import tracing
from backend.telemetry.about import about

HEADER = "X-Request-ID"
GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")
UNINTERESTING = ("/healthz", "/readyz", "/metrics")


class Telemetry:
    """The outermost middleware: what happens in all the others is told with the request's id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        given = request.headers.get(HEADER, "")
        known = given if GIVEN.fullmatch(given) else uuid4().hex
        with about(request=known):
            response = self._traced(request)
        response.headers[HEADER] = known
        return response

    def _traced(self, request: HttpRequest) -> HttpResponse:
        if not tracing.enabled() or request.path in UNINTERESTING:
            return self._get_response(request)
        parent = request.headers.get(tracing.HEADER, "")
        with tracing.span(f"{request.method}", kind="server", parent=parent, method=request.method) as span:
            response = self._get_response(request)
            # The route and not the path: what is in a path may be somebody's, and there would be endless names.
            route = request.resolver_match.route if request.resolver_match else "no route"
            span.name(f"{request.method} /{route}")
            span.note(route=f"/{route}", status=response.status_code)
            if response.status_code >= 500:
                span.fail(str(response.status_code))
        return response
