"""Makes requests safe to repeat: the same key and request get the first one's answer, and are done once.

The claim of the key, the effect and the stored answer commit in one transaction: a crash leaves all or none. Only
successes are kept, for 24 hours: a refusal changed nothing, and the same request may be right later. See
docs/decisions/0015-idempotency-keys.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.api.idempotency_keys import check_key, claim_key, require_same
from backend.api.models import IdempotentRequest
from backend.errors import RepomillError
from backend.failpoints import Failpoint, reached

METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_HEADERS = ("Location", "ETag")
CONDITIONS = ("If-Match", "If-None-Match")

Handler = Callable[..., HttpResponseBase]


class HonoursKeys(APIView):
    """A view that honours the Idempotency-Key header. The user must be known: there is no key for strangers.

    All unsafe methods honour it, and not POST alone: a DELETE that is repeated because its answer was lost must not be
    told that there is no such thing, and a late PATCH must not undo what somebody changed since.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  (as in APIView)
        """Check the request as every view does, then put the key's guard around the handler."""
        super().initial(request, *args, **kwargs)
        key = read_key(request)
        if request.method in METHODS and key is not None and request.user.pk is not None:
            # `dispatch` looks the handler up after this, on the instance, which lives for one request.
            name = request.method.lower()
            handler: Handler = getattr(self, name, self.http_method_not_allowed)
            setattr(self, name, partial(_once, handler, key, request.user.pk))


def read_key(request: Request) -> str | None:
    """Return the request's key, or None without one. Raises InvalidInput for one that is too long or not printable."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    return check_key(key, field=HEADER)


def fingerprint(request: Request) -> str:
    """Return a keyed hash of method, path with query, content type, body, and where given the conditions.

    Keyed, since a body may hold a password that could be guessed by its plain hash.
    """
    said = (request.method or "", request.get_full_path(), request.content_type or "")
    digest = hashlib.sha256("\n".join(said).encode(errors="surrogateescape"))
    digest.update(b"\n" + request.body)
    conditions = {name: request.headers[name] for name in CONDITIONS if name in request.headers}
    if conditions:
        # Without one the print stays what it was before there were any: answers are kept across an upgrade.
        digest = hashlib.sha256(digest.digest() + json.dumps(conditions).encode())
    return salted_hmac("repomill.idempotency", digest.digest(), algorithm="sha256").hexdigest()


def _once(
    handler: Handler,
    key: str,
    user_id: UUID,
    request: Request,
    /,  # a path may have arguments of these names
    *args: Any,  # noqa: ANN401
    **kwargs: Any,  # noqa: ANN401
) -> HttpResponseBase:
    print_of_request = fingerprint(request)
    with transaction.atomic():
        row, first = claim_key(user_id=user_id, key=key, request_print=print_of_request)
        if not first:
            return _replay(row, request_print=print_of_request)
        response = handler(request, *args, **kwargs)
        if response.status_code >= 400:
            transaction.set_rollback(True)
        else:
            _keep(row, response)
    reached(Failpoint.REQUEST_SERVED)
    return response


def _replay(row: IdempotentRequest, *, request_print: str) -> Response:
    require_same(row, request_print=request_print, field=HEADER)
    headers = {**row.headers, REPLAYED: "true"}
    body = None if row.body is None else json.loads(row.body)
    return Response(body, status=row.status_code, headers=headers)


def _keep(row: IdempotentRequest, response: HttpResponseBase) -> None:
    if not isinstance(response, Response):
        raise RepomillError("A view that honours Idempotency-Key must answer with a rest_framework Response.")
    rendered = JSONRenderer().render(response.data)
    row.status_code = response.status_code
    row.body = rendered.decode() if rendered else None
    row.headers = {name: response[name] for name in KEPT_HEADERS if response.has_header(name)}
    row.save(update_fields=["status_code", "body", "headers"])
